package data

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// cifarRecords makes one record a label; record k has the pixels ramp(k).
func cifarRecords(first int, labels ...byte) []byte {
	var out []byte
	for k, l := range labels {
		out = append(append(out, l), ramp(cifarPixels, first+k)...)
	}
	return out
}

// tarred packs files in the given order.
func tarred(t testing.TB, files ...zipFile) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, f := range files {
		if err := w.WriteHeader(&tar.Header{Name: f.name, Mode: 0o644, Size: int64(len(f.content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(f.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

const metaText = "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n"

// cifarFiles is the published layout with few images; batch 10 is not
// published but tests the order.
func cifarFiles() []zipFile {
	return []zipFile{
		{"cifar-10-batches-bin/test_batch.bin", cifarRecords(200, 1, 2)},
		{"cifar-10-batches-bin/data_batch_10.bin", cifarRecords(30, 9)},
		{"cifar-10-batches-bin/data_batch_2.bin", cifarRecords(20, 7)},
		{"cifar-10-batches-bin/batches.meta.txt", []byte(metaText)},
		{"cifar-10-batches-bin/data_batch_1.bin", cifarRecords(10, 3, 0, 3)},
		{"cifar-10-batches-bin/readme.html", []byte("<html>")},
	}
}

func cifarTree(t testing.TB) string {
	files := map[string][]byte{}
	for _, f := range cifarFiles() {
		files[f.name] = f.content
	}
	return tree(t, files)
}

func TestCIFAR(t *testing.T) {
	dir := cifarTree(t)
	archive := tarred(t, cifarFiles()...)
	paths := map[string]string{
		"folder": filepath.Join(dir, cifarFolder),
		"parent": dir,
		"tar.gz": write(t, t.TempDir(), "cifar-10-binary.tar.gz", gzipped(t, archive)),
		"tar":    write(t, t.TempDir(), "any name", archive),
	}
	for name, path := range paths {
		t.Run(name, func(t *testing.T) {
			ds := mustOpen(t, path, Options{})
			if ds.Name() != "cifar10" || ds.Len() != 5 || ds.Shape() != (Shape{3, 32, 32}) || ds.NumClasses() != 10 {
				t.Fatalf("%s: %d images %v in %d classes", ds.Name(), ds.Len(), ds.Shape(), ds.NumClasses())
			}
			if ds.ClassNames()[3] != "cat" {
				t.Errorf("class 3 is %s", ds.ClassNames()[3])
			}
			for i, want := range []struct{ label, start int }{{3, 10}, {0, 11}, {3, 12}, {7, 20}, {9, 30}} {
				if ds.Label(i) != want.label || !bytes.Equal(imageOf(t, ds, i), ramp(cifarPixels, want.start)) {
					t.Errorf("image %d: label %d, want %d", i, ds.Label(i), want.label)
				}
			}
		})
	}
}

func TestCIFAROneBatch(t *testing.T) {
	dir := filepath.Join(cifarTree(t), cifarFolder)
	test := mustOpen(t, filepath.Join(dir, "test_batch.bin"), Options{Resolution: 32})
	if test.Name() != "cifar10-test" || test.Len() != 2 || test.Label(1) != 2 {
		t.Errorf("%s: %d images", test.Name(), test.Len())
	}
	batch := mustOpen(t, filepath.Join(dir, "data_batch_1.bin"), Options{})
	if batch.Name() != "cifar10" || batch.Len() != 3 || batch.Label(2) != 3 {
		t.Errorf("%s: %d images", batch.Name(), batch.Len())
	}
	// Label 0, then the pixels 0, 8, 3: also the start of an IDX file.
	alone := cifarRecords(0, 0)
	copy(alone, []byte{0, 0, 8, 3})
	path := write(t, t.TempDir(), "data_batch_7.bin", alone)
	if ds := mustOpen(t, path, Options{}); ds.Len() != 1 || ds.ClassNames()[9] != "truck" {
		t.Errorf("%d images, classes %v", ds.Len(), ds.ClassNames())
	}
}

// sparseTar declares a batch of one record that is nothing but a hole.
func sparseTar(t testing.TB) []byte {
	records := []byte("24 GNU.sparse.size=3073\n" + "26 GNU.sparse.numblocks=1\n" + "25 GNU.sparse.map=3073,0\n")
	archive := tarred(t, zipFile{"pax", records}, zipFile{"data_batch_1.bin", nil})
	// Make the first file the extended header of the second.
	const typeflag, checksum = 156, 148
	archive[typeflag] = tar.TypeXHeader
	copy(archive[checksum:], "        ")
	sum := 0
	for _, b := range archive[:512] {
		sum += int(b)
	}
	copy(archive[checksum:], fmt.Sprintf("%06o\x00 ", sum))
	return archive
}

func TestCIFARFaults(t *testing.T) {
	good := cifarRecords(0, 1, 2)
	tgz := gzipped(t, tarred(t, cifarFiles()...))
	cases := map[string]struct {
		name    string
		content []byte
		words   []string
	}{
		"truncated":        {"d/data_batch_1.bin", good[:5000], []string{"data_batch_1.bin", "5000 bytes", "3073"}},
		"empty":            {"d/data_batch_1.bin", nil, []string{"data_batch_1.bin", "0 bytes"}},
		"label":            {"d/data_batch_1.bin", cifarRecords(0, 1, 10), []string{"data_batch_1.bin", "record 1 has label 10"}},
		"truncated tar.gz": {"a.tar.gz", tgz[:len(tgz)/2], []string{"tar archive truncated"}},
		"tar.gz checksum":  {"a.tar.gz", tgz[:len(tgz)-4], []string{"tar archive truncated"}},
		"no batches":       {"a.tar", tarred(t, zipFile{"cifar-10-batches-py/data_batch_1", good}), []string{"no data_batch_*.bin", "binary version"}},
		"twice":            {"a.tar", tarred(t, zipFile{"a/data_batch_1.bin", good}, zipFile{"b/data_batch_1.bin", good}), []string{"data_batch_1.bin twice"}},
		"few names":        {"a.tar", tarred(t, zipFile{"data_batch_1.bin", good}, zipFile{cifarMeta, []byte("cat dog")}), []string{cifarMeta, "2 class names"}},
		"long names":       {"a.tar", tarred(t, zipFile{cifarMeta, make([]byte, 1<<16)}), []string{cifarMeta, "unpacks to more"}},
		"sparse":           {"a.tar", sparseTar(t), []string{"data_batch_1.bin", "sparse"}},
		"bad in tar":       {"a.tar", tarred(t, zipFile{"data_batch_1.bin", good[1:]}), []string{"data_batch_1.bin", "6145 bytes"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			path := write(t, t.TempDir(), c.name, c.content)
			if filepath.Dir(c.name) == "d" {
				path = filepath.Dir(path)
			}
			wantError(t, openError(path, Options{}), append(c.words, "data: open "+path)...)
		})
	}
	wantError(t, openError(cifarTree(t), Options{Resolution: 64}), "32x32", "resolution of 64")
}

// zeros yields zero bytes for ever.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestCapped(t *testing.T) {
	n, err := io.Copy(io.Discard, &capped{zeros{}, 1 << 20})
	if err != errTooLarge || n > 1<<20 {
		t.Errorf("%d bytes, error %v", n, err)
	}
	text, err := io.ReadAll(&capped{bytes.NewReader(ramp(10, 0)), 10})
	if err != nil || !cmp.Equal(text, ramp(10, 0)) {
		t.Errorf("at the limit: %v, error %v", text, err)
	}
}

func FuzzCIFAR(f *testing.F) {
	f.Add(cifarRecords(0, 1), int64(cifarRecord))
	f.Add(cifarRecords(0, 1, 9), int64(2*cifarRecord))
	f.Add(cifarRecords(0, 255), int64(cifarRecord))
	f.Add([]byte{}, int64(0))
	f.Add([]byte{1, 2, 3}, int64(1<<40*cifarRecord))
	f.Fuzz(func(t *testing.T, file []byte, size int64) {
		b, err := readCIFARBatch("batch", bytes.NewReader(file), size)
		if err != nil {
			return
		}
		var again []byte
		for i, l := range b.labels {
			again = append(append(again, l), b.pixels[i*cifarPixels:][:cifarPixels]...)
		}
		if !bytes.Equal(again, file) {
			t.Error("the batch does not hold what the file does")
		}
	})
}

func FuzzCIFARTar(f *testing.F) {
	f.Add(tarred(f, cifarFiles()[2:5]...))
	f.Add(tarred(f, zipFile{"../data_batch_1.bin", cifarRecords(0, 1)}))
	f.Fuzz(func(t *testing.T, file []byte) {
		p, err := readCIFARTar(bytes.NewReader(file), Options{})
		if err == nil && (p.Len() != len(p.labels) || len(p.pixels) > len(file)) {
			t.Errorf("%d images with %d labels from %d bytes", p.Len(), len(p.labels), len(file))
		}
	})
}
