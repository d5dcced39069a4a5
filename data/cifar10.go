package data

import (
	"archive/tar"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// The binary version of CIFAR-10 (Krizhevsky 2009): records of one label byte
// and 32x32 red, green and blue values.
const (
	cifarClasses = 10
	cifarPixels  = 3 * 32 * 32
	cifarRecord  = 1 + cifarPixels
	cifarMeta    = "batches.meta.txt"
	cifarFolder  = "cifar-10-batches-bin"
	cifarTest    = "test_batch.bin"
	maxMetaBytes = 1 << 12
)

func isCIFARBatch(name string) bool {
	return strings.HasPrefix(name, "data_batch_") && strings.HasSuffix(name, ".bin")
}

// cifarBatch is one file's records, labels and pixels apart.
type cifarBatch struct {
	name           string
	labels, pixels []uint8
}

// readCIFARBatch reads size bytes of records, all that r should hold.
func readCIFARBatch(name string, r io.Reader, size int64) (cifarBatch, error) {
	if size == 0 || size%cifarRecord != 0 {
		return cifarBatch{}, fmt.Errorf("%s: %d bytes: expected whole records of %d (the binary version of CIFAR-10); truncated or another format",
			name, size, cifarRecord)
	}
	if size > maxPackedBytes {
		return cifarBatch{}, fmt.Errorf("%s: %d bytes: expected at most %d", name, size, int64(maxPackedBytes))
	}
	data, err := readExactly(r, size)
	if err == nil {
		err = expectEnd(r)
	}
	if err != nil {
		return cifarBatch{}, fmt.Errorf("%s: %w", name, err)
	}
	n := len(data) / cifarRecord
	b := cifarBatch{name: name, labels: make([]uint8, n)}
	for i := range n {
		record := data[i*cifarRecord:][:cifarRecord]
		if record[0] >= cifarClasses {
			return cifarBatch{}, fmt.Errorf("%s: record %d has label %d: expected 0 to %d", name, i, record[0], cifarClasses-1)
		}
		b.labels[i] = record[0]
		// The pixels move down over the labels, always onto bytes already read.
		copy(data[i*cifarPixels:], record[1:])
	}
	b.pixels = data[:n*cifarPixels]
	return b, nil
}

// joinCIFAR makes one dataset of the batches, in the order of their numbers.
func joinCIFAR(batches []cifarBatch, names []string, o Options) (*packed, error) {
	slices.SortFunc(batches, func(a, b cifarBatch) int {
		return cmp.Or(cmp.Compare(len(a.name), len(b.name)), cmp.Compare(a.name, b.name))
	})
	if o.Resolution != 0 && o.Resolution != 32 {
		return nil, fmt.Errorf("CIFAR-10 is 32x32: a resolution of %d is not possible; ask for 32 or 0", o.Resolution)
	}
	p := &packed{name: "cifar10", stored: Shape{3, 32, 32}, classes: cifarClasses, names: names}
	if names == nil {
		p.names = []string{"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"}
	}
	if len(batches) == 1 {
		p.labels, p.pixels = batches[0].labels, batches[0].pixels
		return p, p.present(o)
	}
	for _, b := range batches {
		p.labels = append(p.labels, b.labels...)
		p.pixels = append(p.pixels, b.pixels...)
	}
	return p, p.present(o)
}

// readCIFARNames reads batches.meta.txt: one class name a line.
func readCIFARNames(r io.Reader) ([]string, error) {
	text, err := io.ReadAll(&capped{r, maxMetaBytes})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cifarMeta, whole(err))
	}
	names := strings.Fields(string(text))
	if len(names) != cifarClasses {
		return nil, fmt.Errorf("%s: %d class names: expected %d", cifarMeta, len(names), cifarClasses)
	}
	return names, nil
}

// openCIFARFolder reads the training batches among the files of a folder.
func openCIFARFolder(dir string, files []string, o Options) (*packed, error) {
	var batches []cifarBatch
	for _, f := range files {
		if isCIFARBatch(f) {
			b, err := readCIFARBatchFile(filepath.Join(dir, f))
			if err != nil {
				return nil, err
			}
			batches = append(batches, b)
		}
	}
	if len(batches) == 0 {
		return nil, errors.New("holds no data_batch_*.bin: expected the binary version of CIFAR-10")
	}
	names, err := readCIFARNamesFile(filepath.Join(dir, cifarMeta))
	if err != nil {
		return nil, err
	}
	return joinCIFAR(batches, names, o)
}

// openCIFARFile reads a single batch, of training or test.
func openCIFARFile(path string, o Options) (*packed, error) {
	b, err := readCIFARBatchFile(path)
	if err != nil {
		return nil, err
	}
	names, err := readCIFARNamesFile(filepath.Join(filepath.Dir(path), cifarMeta))
	if err != nil {
		return nil, err
	}
	p, err := joinCIFAR([]cifarBatch{b}, names, o)
	if err == nil && filepath.Base(path) == cifarTest {
		p.name = "cifar10-test"
	}
	return p, err
}

func readCIFARBatchFile(path string) (cifarBatch, error) {
	name := filepath.Base(path)
	f, err := os.Open(path)
	if err != nil {
		return cifarBatch{}, fmt.Errorf("%s: %w", name, withoutPath(err))
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return cifarBatch{}, fmt.Errorf("%s: %w", name, withoutPath(err))
	}
	return readCIFARBatch(name, f, info.Size())
}

// readCIFARNamesFile returns nil if there is no such file.
func readCIFARNamesFile(path string) ([]string, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cifarMeta, withoutPath(err))
	}
	defer f.Close()
	return readCIFARNames(f)
}

// openCIFARTar reads the training batches of a tar archive, gzip or not.
func openCIFARTar(path string, o Options) (*packed, error) {
	s, err := openStream(path)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return readCIFARTar(s, o)
}

func readCIFARTar(r io.Reader, o Options) (*packed, error) {
	r = &capped{r, maxTarBytes}
	batches, names, err := readCIFAREntries(tar.NewReader(r))
	if err != nil {
		return nil, err
	}
	// The bytes after the archive's end mark carry the gzip checksum.
	if _, err := io.Copy(io.Discard, r); err != nil {
		return nil, fmt.Errorf("tar archive truncated or damaged: %w", err)
	}
	if len(batches) == 0 {
		return nil, errors.New("tar archive holds no data_batch_*.bin: expected the binary version of CIFAR-10")
	}
	return joinCIFAR(batches, names, o)
}

// readCIFAREntries reads all training batches, and the class names if they are
// there, in whatever folder of the archive.
func readCIFAREntries(archive *tar.Reader) (batches []cifarBatch, names []string, err error) {
	seen := map[string]bool{}
	var total int64
	for {
		h, err := archive.Next()
		if err == io.EOF {
			return batches, names, nil
		}
		if err != nil {
			return nil, nil, fmt.Errorf("tar archive truncated or damaged: %w", whole(err))
		}
		base := path.Base(h.Name)
		if h.Typeflag != tar.TypeReg || !isCIFARBatch(base) && base != cifarMeta {
			continue
		}
		total += h.Size
		switch {
		case seen[base]:
			return nil, nil, fmt.Errorf("tar archive holds %s twice", base)
		case isSparse(h):
			return nil, nil, fmt.Errorf("tar archive holds %s as a sparse file: expected a plain one", base)
		case h.Size > maxPackedBytes || total > maxPackedBytes:
			return nil, nil, fmt.Errorf("%s: %w", base, errTooLarge)
		}
		seen[base] = true
		if base == cifarMeta {
			names, err = readCIFARNames(archive)
		} else {
			var b cifarBatch
			b, err = readCIFARBatch(base, archive, h.Size)
			batches = append(batches, b)
		}
		if err != nil {
			return nil, nil, err
		}
	}
}

// isSparse tells whether the file has holes, which unpack from nothing to any
// size.
func isSparse(h *tar.Header) bool {
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return true
		}
	}
	return false
}
