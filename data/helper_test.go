package data

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// grid is a dataset whose image i has the values 7i, 7i+1, ... modulo 256 and
// whose label is i modulo 3.
type grid struct {
	n     int
	shape Shape
	bad   int // image that cannot be read; -1: none
}

var errBadImage = errors.New("bad image")

func (g grid) Name() string         { return "grid" }
func (g grid) Len() int             { return g.n }
func (g grid) Shape() Shape         { return g.shape }
func (g grid) NumClasses() int      { return 3 }
func (g grid) ClassNames() []string { return nil }
func (g grid) Label(i int) int      { return i % 3 }

func (g grid) Image(i int, dst []uint8) error {
	if i == g.bad {
		return fmt.Errorf("image %d: %w", i, errBadImage)
	}
	for k := range dst {
		dst[k] = uint8(7*i + k)
	}
	return nil
}

func smallGrid(n int) grid { return grid{n: n, shape: Shape{2, 2, 3}, bad: -1} }

// write makes a file under dir, with its folders.
func write(t testing.TB, dir, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// tree makes a folder of files.
func tree(t testing.TB, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		write(t, dir, name, content)
	}
	return dir
}

type zipFile struct {
	name    string
	content []byte
}

// zipped packs files in the given order.
func zipped(t testing.TB, files ...zipFile) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, f := range files {
		e, err := w.Create(f.name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Write(f.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func encodePNG(t testing.TB, img image.Image) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := png.Encode(&out, img); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func encodeJPEG(t testing.TB, img image.Image) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := jpeg.Encode(&out, img, &jpeg.Options{Quality: 100}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// greyPNG has the pixel values start, start+1, ... row by row.
func greyPNG(t testing.TB, w, h, start int) []byte {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, w, h))
	for i := range img.Pix {
		img.Pix[i] = uint8(start + i)
	}
	return encodePNG(t, img)
}

// colourPNG has red start+i, green 2i and blue 255-i at pixel i.
func colourPNG(t testing.TB, w, h, start int) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for i := range w * h {
		img.SetRGBA(i%w, i/w, color.RGBA{uint8(start + i), uint8(2 * i), uint8(255 - i), 255})
	}
	return encodePNG(t, img)
}

// idxFile encodes an IDX file of unsigned bytes.
func idxFile(elements []byte, dims ...uint32) []byte {
	out := []byte{0, 0, idxUbyte, byte(len(dims))}
	for _, d := range dims {
		out = binary.BigEndian.AppendUint32(out, d)
	}
	return append(out, elements...)
}

// ramp returns n bytes start, start+1, ...
func ramp(n, start int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = uint8(start + i)
	}
	return out
}

// mustOpen opens a dataset and closes it with the test.
func mustOpen(t testing.TB, path string, o Options) Dataset {
	t.Helper()
	ds, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := Close(ds); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return ds
}

func imageOf(t testing.TB, ds Dataset, i int) []uint8 {
	t.Helper()
	out := bytes.Repeat([]byte{0xA5}, ds.Shape().Len())
	if err := ds.Image(i, out); err != nil {
		t.Fatal(err)
	}
	return out
}

// wantError checks that err exists and says every one of words.
func wantError(t testing.TB, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one about %q", words)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not mention %q", err, w)
		}
	}
}

// openError opens and reads all of path and returns the error of either.
func openError(path string, o Options) error {
	ds, err := Open(path, o)
	if err != nil {
		return err
	}
	return errors.Join(Verify(ds), Close(ds))
}
