package data

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
)

func TestImageZip(t *testing.T) {
	content := zipped(t,
		zipFile{"dataset.json", []byte(`{"labels": [["00000/img00000000.png", 3], ["00000/img00000001.png", 0]]}`)},
		zipFile{"00000/", nil},
		zipFile{"00000/img00000001.png", colourPNG(t, 4, 4, 50)},
		zipFile{"00000/img00000000.png", colourPNG(t, 4, 4, 60)},
		zipFile{"__MACOSX/00000/._img00000000.png", []byte("hidden")},
	)
	ds := mustOpen(t, write(t, t.TempDir(), "my faces.zip", content), DefaultOptions())
	if ds.Name() != "my-faces" || ds.Len() != 2 || ds.Shape() != (Shape{3, 4, 4}) || ds.NumClasses() != 4 {
		t.Fatalf("%s: %d images %v in %d classes", ds.Name(), ds.Len(), ds.Shape(), ds.NumClasses())
	}
	for i, want := range []struct{ label, start int }{{3, 60}, {0, 50}} {
		if got := imageOf(t, ds, i); ds.Label(i) != want.label || !bytes.Equal(got[:16], ramp(16, want.start)) {
			t.Errorf("image %d of class %d: %v", i, ds.Label(i), got)
		}
	}
}

func TestImageZipWithoutLabels(t *testing.T) {
	image := zipFile{"00003/a.png", greyPNG(t, 4, 4, 0)}
	for _, content := range [][]byte{
		zipped(t, image),
		zipped(t, image, zipFile{"dataset.json", []byte(`{"labels": null}`)}),
	} {
		ds := mustOpen(t, write(t, t.TempDir(), "a.zip", content), Options{MaxSize: 1})
		if ds.NumClasses() != 0 || ds.Label(0) != -1 {
			t.Errorf("%d classes, label %d", ds.NumClasses(), ds.Label(0))
		}
	}
}

func TestCloseReleasesTheZip(t *testing.T) {
	path := write(t, t.TempDir(), "a.zip", zipped(t, zipFile{"a.png", greyPNG(t, 4, 4, 0)}, zipFile{"b.png", greyPNG(t, 4, 4, 0)}))
	ds, err := Open(path, Options{MaxSize: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := Close(ds); err != nil {
		t.Fatal(err)
	}
	wantError(t, ds.Image(0, make([]uint8, 16)), "data: read "+path, ".png", "closed")
	if err := os.Remove(path); err != nil {
		t.Error(err)
	}
	if err := Close(smallGrid(1)); err != nil {
		t.Errorf("a dataset without Close: %v", err)
	}
}

// declare changes the size that a zip's directory declares for its first
// entry.
func declare(content []byte, size uint32) []byte {
	out := bytes.Clone(content)
	at := bytes.Index(out, []byte("PK\x01\x02"))
	binary.LittleEndian.PutUint32(out[at+24:], size)
	return out
}

func TestImageZipFaults(t *testing.T) {
	png := greyPNG(t, 4, 4, 0)
	good := zipped(t, zipFile{"a.png", png}, zipFile{"b.png", png})
	encrypted := bytes.Clone(good)
	encrypted[bytes.Index(good, []byte("PK\x01\x02"))+8] |= 1
	damaged := bytes.Clone(good)
	damaged[30+len("a.png")+40] ^= 0x55
	// Deflate shrinks a run of zeros to a thousandth.
	bomb := zipped(t, zipFile{"a.png", append(bytes.Clone(png), make([]byte, 1<<20)...)})
	cases := map[string]struct {
		content []byte
		words   []string
	}{
		"truncated":       {good[:len(good)-30], []string{"truncated or damaged zip"}},
		"only a start":    {good[:40], []string{"truncated or damaged zip"}},
		"no images":       {zipped(t, zipFile{"readme.txt", nil}), []string{"no PNG or JPEG", "1 other"}},
		"empty zip":       {zipped(t), []string{"no PNG or JPEG"}},
		"traversal":       {zipped(t, zipFile{"../a.png", png}), []string{`"../a.png"`, "inside the archive"}},
		"deep traversal":  {zipped(t, zipFile{"x/../../a.png", png}), []string{`"x/../../a.png"`}},
		"absolute":        {zipped(t, zipFile{"/etc/a.png", png}), []string{`"/etc/a.png"`}},
		"drive":           {zipped(t, zipFile{"C:/a.png", png}), []string{`"C:/a.png"`}},
		"backslash":       {zipped(t, zipFile{`..\a.png`, png}), []string{"relative path"}},
		"twice":           {zipped(t, zipFile{"a.png", png}, zipFile{"a.png", png}), []string{"a.png occurs twice"}},
		"over the limit":  {declare(bomb, maxImageBytes+1), []string{"a.png", "67108865 bytes", "at most 67108864"}},
		"lying bomb":      {declare(bomb, 1000), []string{"a.png"}},
		"declares much":   {declare(good, 0xfffffff0), []string{"a.png", "4294967280 bytes"}},
		"declares little": {declare(good, 20), []string{"a.png"}},
		"declares more":   {declare(good, 9999), []string{"a.png"}},
		"encrypted":       {encrypted, []string{"a.png", "encrypted"}},
		"flipped bit":     {damaged, []string{"a.png"}},
		"nested labels":   {zipped(t, zipFile{"x/dataset.json", nil}, zipFile{"x/a.png", png}), []string{"x/dataset.json", "at the top"}},
		"bad labels":      {zipped(t, zipFile{"dataset.json", []byte("{")}, zipFile{"a.png", png}), []string{"dataset.json", `{"labels"`}},
		"tiff":            {zipped(t, zipFile{"a.tif", png}), []string{"a.tif", "unsupported file type .tif"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			path := write(t, t.TempDir(), "a.zip", c.content)
			wantError(t, openError(path, Options{}), append(c.words, path)...)
		})
	}
	wantError(t, openError(filepath.Join(t.TempDir(), "none.zip"), Options{}), "none.zip", "no such file or folder")
}
