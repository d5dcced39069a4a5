package data

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func gzipped(t testing.TB, content []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// Five images of 3x3 with labels up to 4.
func idxPair() (images, labels []byte) {
	return idxFile(ramp(45, 10), 5, 3, 3), idxFile([]byte{4, 0, 2, 2, 1}, 5)
}

func TestIDX(t *testing.T) {
	images, labels := idxPair()
	cases := map[string]map[string][]byte{
		"plain":        {"train-images-idx3-ubyte": images, "train-labels-idx1-ubyte": labels},
		"gzip":         {"train-images-idx3-ubyte.gz": gzipped(t, images), "train-labels-idx1-ubyte.gz": gzipped(t, labels)},
		"mixed":        {"train-images-idx3-ubyte": images, "train-labels-idx1-ubyte.gz": gzipped(t, labels)},
		"mixed other":  {"train-images-idx3-ubyte.gz": gzipped(t, images), "train-labels-idx1-ubyte": labels},
		"dotted":       {"train-images.idx3-ubyte": images, "train-labels.idx1-ubyte": labels},
		"beside t10k":  {"t10k-images-idx3-ubyte": nil, "train-images-idx3-ubyte": images, "train-labels-idx1-ubyte": labels},
		"only one set": {"t10k-images-idx3-ubyte": images, "t10k-labels-idx1-ubyte": labels},
	}
	for name, files := range cases {
		t.Run(name, func(t *testing.T) {
			ds := mustOpen(t, tree(t, files), Options{})
			if ds.Len() != 5 || ds.Shape() != (Shape{1, 3, 3}) || ds.NumClasses() != 5 || ds.ClassNames() != nil {
				t.Fatalf("%d images %v in %d classes", ds.Len(), ds.Shape(), ds.NumClasses())
			}
			for i, want := range []int{4, 0, 2, 2, 1} {
				if ds.Label(i) != want {
					t.Errorf("label %d is %d, want %d", i, ds.Label(i), want)
				}
				if diff := cmp.Diff(ramp(9, 10+9*i), imageOf(t, ds, i)); diff != "" {
					t.Errorf("image %d: %s", i, diff)
				}
			}
		})
	}
}

func TestIDXByFile(t *testing.T) {
	images, labels := idxPair()
	dir := tree(t, map[string][]byte{
		"digits/t10k-images-idx3-ubyte":  images,
		"digits/train-images-idx3-ubyte": images,
		"digits/train-labels-idx1-ubyte": labels,
		"digits/odd":                     images,
	})
	for file, want := range map[string]struct {
		name    string
		classes int
	}{
		"t10k-images-idx3-ubyte":  {"digits-t10k", 0},
		"train-images-idx3-ubyte": {"digits", 5},
		"odd":                     {"digits", 0},
	} {
		ds := mustOpen(t, filepath.Join(dir, "digits", file), Options{})
		if ds.Name() != want.name || ds.NumClasses() != want.classes {
			t.Errorf("%s: name %q with %d classes, want %q with %d", file, ds.Name(), ds.NumClasses(), want.name, want.classes)
		}
		if want.classes == 0 && ds.Label(0) != -1 {
			t.Errorf("%s: label %d without classes", file, ds.Label(0))
		}
	}
}

func TestIDXBorder(t *testing.T) {
	dir := tree(t, map[string][]byte{"train-images-idx3-ubyte": idxFile([]byte{1, 2, 3, 4, 5, 6}, 1, 2, 3)})
	got := imageOf(t, mustOpen(t, dir, Options{Resolution: 4}), 0)
	want := []uint8{
		0, 0, 0, 0,
		1, 2, 3, 0,
		4, 5, 6, 0,
		0, 0, 0, 0,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	wantError(t, openError(dir, Options{}), "2x3", "square", "resolution of 3")
	wantError(t, openError(dir, Options{Resolution: 2}), "2x3", "ask for 3 or more")
}

func TestIDXFaults(t *testing.T) {
	images, labels := idxPair()
	huge := idxFile(nil, 0x7fffffff, 1<<14, 1<<14)
	other := bytes.Clone(images)
	other[2] = 0x0D
	flipped := gzipped(t, images)
	flipped[len(flipped)-6] ^= 1 // the checksum
	const i, l = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
	cases := map[string]struct {
		files map[string][]byte
		words []string
	}{
		"truncated":         {map[string][]byte{i: images[:40]}, []string{"[5 3 3]", "truncated"}},
		"truncated header":  {map[string][]byte{i: images[:9]}, []string{"IDX header", "5 of 12 bytes"}},
		"empty":             {map[string][]byte{i: nil}, []string{"IDX header", "0 of 4 bytes"}},
		"too long":          {map[string][]byte{i: append(bytes.Clone(images), 0)}, []string{"more data than its header declares"}},
		"huge":              {map[string][]byte{i: huge}, []string{"2147483647", "can hold at most 0"}},
		"huge gzip":         {map[string][]byte{i + ".gz": gzipped(t, huge)}, []string{"2147483647", "can hold at most"}},
		"absurd side":       {map[string][]byte{i: idxFile(nil, 1, 1<<20, 1)}, []string{"dimension 1", "1048576"}},
		"absurd count":      {map[string][]byte{i: idxFile(nil, 1<<31, 1, 1)}, []string{"dimension 0", "2147483648"}},
		"no images":         {map[string][]byte{i: idxFile(nil, 0, 3, 3)}, []string{"dimension 0"}},
		"floats":            {map[string][]byte{i: other}, []string{"0x0d", "unsigned bytes"}},
		"labels as images":  {map[string][]byte{i: append(labels, images...)}, []string{"1 dimensions", "images have 3"}},
		"not IDX":           {map[string][]byte{i: []byte("hello, this is text")}, []string{"not an IDX file"}},
		"truncated gzip":    {map[string][]byte{i + ".gz": gzipped(t, images)[:30]}, []string{"unexpected EOF"}},
		"gzip checksum":     {map[string][]byte{i + ".gz": flipped}, []string{"checksum"}},
		"gzip header":       {map[string][]byte{i + ".gz": []byte("\x1f\x8b\x08")}, []string{"gzip header"}},
		"too few labels":    {map[string][]byte{i: images, l: idxFile([]byte{1, 2}, 2)}, []string{l, "2 labels for 5 images"}},
		"truncated labels":  {map[string][]byte{i: images, l: labels[:10]}, []string{l, "truncated"}},
		"images as labels":  {map[string][]byte{i: images, l: images}, []string{l, "labels 1"}},
		"several, no train": {map[string][]byte{"a-images-idx3-ubyte": images, "b-images-idx3-ubyte": images}, []string{"a-images-idx3-ubyte, b-images-idx3-ubyte", "train-images-idx3-ubyte"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			dir := tree(t, c.files)
			wantError(t, openError(dir, Options{}), append(c.words, "data: open "+dir)...)
		})
	}
}

func TestHugeIDXHeaderCostsNoMemory(t *testing.T) {
	// The declared size is within what 64 KiB of gzip could hold, but not there.
	body := gzipped(t, append(idxFile(nil, 60_000, 28, 28), bytes.Repeat([]byte{0}, 100)...))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, _, err := readIDX(newGzip(t, body), idxImages, 1<<40); err == nil {
		t.Error("no error")
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 4<<20 {
		t.Errorf("%d bytes were set aside for a file of %d", n, len(body))
	}
}

func newGzip(t testing.TB, content []byte) *gzip.Reader {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func FuzzIDX(f *testing.F) {
	images, labels := idxPair()
	f.Add(images, 3)
	f.Add(labels, 1)
	f.Add(images[:20], 3)
	f.Add(idxFile(nil, 0xffffffff, 0xffffffff, 0xffffffff), 3)
	f.Add(idxFile(nil, 1, 1, 1), 3)
	f.Fuzz(func(t *testing.T, file []byte, dimensions int) {
		if dimensions != idxImages && dimensions != idxLabels {
			return
		}
		dims, elements, err := readIDX(bytes.NewReader(file), dimensions, int64(len(file)))
		if err != nil {
			return
		}
		size := 1
		for k, d := range dims {
			size *= d
			if uint32(d) != binary.BigEndian.Uint32(file[4+4*k:]) {
				t.Errorf("dimension %d is %d", k, d)
			}
		}
		if size != len(elements) || !bytes.Equal(file[len(file)-size:], elements) {
			t.Errorf("%v: %d elements of a file of %d bytes", dims, len(elements), len(file))
		}
	})
}
