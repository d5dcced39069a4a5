package data

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// IDX is the format of MNIST and its successors: two zero bytes, the element
// type, the number of dimensions, each dimension as a big-endian uint32, and
// the elements.
const (
	idxUbyte  = 0x08
	idxImages = 3 // dimensions: count, rows, columns
	idxLabels = 1
	// maxSide bounds the rows and columns, so that their product with any
	// count fits an int64.
	maxSide = 1 << 14
)

func isIDX(head []byte) bool {
	return len(head) >= 4 && head[0] == 0 && head[1] == 0 && head[2] >= idxUbyte && head[2] <= 0x0E &&
		head[3] >= 1 && head[3] <= 4
}

// readIDX reads an IDX file of unsigned bytes with the given number of
// dimensions from r, which can yield at most limit bytes.
func readIDX(r io.Reader, dimensions int, limit int64) (dims []int, elements []byte, err error) {
	magic, err := readExactly(r, 4)
	if err != nil {
		return nil, nil, fmt.Errorf("IDX header: %w", err)
	}
	if !isIDX(magic) {
		return nil, nil, fmt.Errorf("not an IDX file: starts with % x", magic)
	}
	if magic[2] != idxUbyte || int(magic[3]) != dimensions {
		return nil, nil, fmt.Errorf("IDX file of element type 0x%02x with %d dimensions: expected unsigned bytes (0x08) with %d (images have 3, labels 1)",
			magic[2], magic[3], dimensions)
	}
	if dims, err = readIDXDimensions(r, dimensions, limit-4); err != nil {
		return nil, nil, err
	}
	size := int64(1)
	for _, d := range dims {
		size *= int64(d)
	}
	if elements, err = readExactly(r, size); err != nil {
		return nil, nil, err
	}
	return dims, elements, expectEnd(r)
}

// readIDXDimensions reads the sizes of n dimensions and checks that limit bytes
// can hold them and their elements.
func readIDXDimensions(r io.Reader, n int, limit int64) ([]int, error) {
	head, err := readExactly(r, 4*int64(n))
	if err != nil {
		return nil, fmt.Errorf("IDX header: %w", err)
	}
	size := int64(1)
	var dims []int
	for k := range n {
		d := int64(binary.BigEndian.Uint32(head[4*k:]))
		if d == 0 || k > 0 && d > maxSide || k == 0 && d > maxImages {
			return nil, fmt.Errorf("IDX header declares dimension %d as %d: expected 1 to %d images of up to %dx%d",
				k, d, maxImages, maxSide, maxSide)
		}
		size *= d
		dims = append(dims, int(d))
	}
	if most := min(limit-int64(len(head)), maxPackedBytes); size > most {
		return nil, fmt.Errorf("IDX header declares %v = %d bytes, but the file can hold at most %d: truncated or damaged", dims, size, most)
	}
	return dims, nil
}

// readIDXImages reads an images file into a dataset without name or labels.
func readIDXImages(r io.Reader, limit int64) (*packed, error) {
	dims, pixels, err := readIDX(r, idxImages, limit)
	if err != nil {
		return nil, err
	}
	return &packed{stored: Shape{1, dims[1], dims[2]}, pixels: pixels}, nil
}

// openIDX opens an images file and, if there is one beside it, its labels.
func openIDX(path string, o Options) (*packed, error) {
	p, err := readIDXFile(path)
	if err != nil {
		return nil, err
	}
	p.name = idxName(path)
	if err := p.present(o); err != nil {
		return nil, err
	}
	labelsPath, err := idxLabelsPath(path)
	if err != nil || labelsPath == "" {
		return p, err
	}
	labels, err := readIDXLabelsFile(labelsPath)
	if err == nil {
		err = p.setLabels(labels)
	}
	if err != nil {
		return nil, fmt.Errorf("labels file %s: %w", filepath.Base(labelsPath), err)
	}
	return p, nil
}

func readIDXFile(path string) (p *packed, err error) {
	s, err := openStream(path)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return readIDXImages(s, s.max)
}

func readIDXLabelsFile(path string) ([]uint8, error) {
	s, err := openStream(path)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	_, labels, err := readIDX(s, idxLabels, s.max)
	return labels, err
}

// idxLabelsPath returns the labels file that belongs to an images file, by the
// usual names (train-images-idx3-ubyte.gz: train-labels-idx1-ubyte.gz, packed
// or not); "" if there is none.
func idxLabelsPath(images string) (string, error) {
	dir, base := filepath.Split(images)
	name := strings.NewReplacer("images", "labels", "idx3", "idx1").Replace(base)
	if name == base {
		return "", nil
	}
	plain := strings.TrimSuffix(name, ".gz")
	for _, candidate := range []string{name, plain, plain + ".gz"} {
		_, err := os.Stat(filepath.Join(dir, candidate))
		if err == nil {
			return filepath.Join(dir, candidate), nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("labels file %s: %w", candidate, withoutPath(err))
		}
	}
	return "", nil
}

// idxName is the name of the folder, plus the name of the set unless that is
// "train".
func idxName(path string) string {
	name := baseName(filepath.Dir(absolute(path)))
	set, _, found := strings.Cut(filepath.Base(path), "-images")
	if !found || set == "train" {
		return name
	}
	return name + "-" + safeName(set)
}

// findIDX returns the images file among the files of a folder: the training
// set's or, without one, the only one; "" if there is none.
func findIDX(files []string) (string, error) {
	var found []string
	for _, f := range files {
		if !strings.Contains(f, "images") || !strings.Contains(f, "idx3") {
			continue
		}
		if strings.HasPrefix(f, "train-") {
			return f, nil
		}
		found = append(found, f)
	}
	switch len(found) {
	case 0:
		return "", nil
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("holds several IDX files (%s) and none is named train-images-idx3-ubyte: give the path of one file", strings.Join(found, ", "))
}
