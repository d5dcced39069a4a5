package data

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestImageFolder(t *testing.T) {
	dir := tree(t, map[string][]byte{
		"cats/1.png":        greyPNG(t, 2, 2, 10),
		"cats/more/0.PNG":   greyPNG(t, 2, 2, 20),
		"cats-big/0.png":    greyPNG(t, 2, 2, 30), // sorts before cats/ as a path
		"ants/x.png":        greyPNG(t, 2, 2, 40),
		"notes/readme.txt":  []byte("no image here, so no class"),
		".cache/a.png":      []byte("hidden"),
		"ants/.thumb.png":   []byte("hidden"),
		"__MACOSX/ants.png": []byte("hidden"),
	})
	ds := mustOpen(t, dir, DefaultOptions())
	if diff := cmp.Diff([]string{"ants", "cats", "cats-big"}, ds.ClassNames()); diff != "" {
		t.Fatal(diff)
	}
	if ds.Len() != 4 || ds.NumClasses() != 3 || ds.Shape() != (Shape{1, 2, 2}) || ds.Name() != baseName(dir) {
		t.Fatalf("%s: %d images %v in %d classes", ds.Name(), ds.Len(), ds.Shape(), ds.NumClasses())
	}
	for i, want := range []struct{ start, label int }{{40, 0}, {30, 2}, {10, 1}, {20, 1}} {
		if ds.Label(i) != want.label || !bytes.Equal(imageOf(t, ds, i), ramp(4, want.start)) {
			t.Errorf("image %d is %v of class %d, want %v of %d", i, imageOf(t, ds, i), ds.Label(i), ramp(4, want.start), want.label)
		}
	}
}

func TestImageFolderWithoutClasses(t *testing.T) {
	ds := mustOpen(t, tree(t, map[string][]byte{"b.png": greyPNG(t, 2, 2, 1), "a.png": greyPNG(t, 2, 2, 5)}), Options{})
	if ds.NumClasses() != 0 || ds.ClassNames() != nil || ds.Label(1) != -1 {
		t.Errorf("%d classes, label %d", ds.NumClasses(), ds.Label(1))
	}
	if got := imageOf(t, ds, 0); got[0] != 5 {
		t.Errorf("the first image is %v, want a.png", got)
	}
}

func TestImageFolderLabels(t *testing.T) {
	files := map[string][]byte{
		"00000/img0.png": greyPNG(t, 2, 2, 1),
		"00001/img1.png": greyPNG(t, 2, 2, 2),
		"dataset.json":   []byte(`{"labels": [["00001\\img1.png", 0], ["00000/img0.png", 4]]}`),
	}
	ds := mustOpen(t, tree(t, files), Options{})
	if ds.NumClasses() != 5 || ds.ClassNames() != nil || ds.Label(0) != 4 || ds.Label(1) != 0 {
		t.Errorf("%d classes, labels %d and %d", ds.NumClasses(), ds.Label(0), ds.Label(1))
	}
	files["dataset.json"] = []byte("\xef\xbb\xbf" + `{"labels": null}`)
	if ds := mustOpen(t, tree(t, files), Options{}); ds.NumClasses() != 0 {
		t.Errorf("%d classes where dataset.json says none", ds.NumClasses())
	}
}

func TestImageKinds(t *testing.T) {
	want := make([]uint8, 0, 48) // colourPNG(4, 4, 7)
	for c := range 3 {
		for i := range 16 {
			want = append(want, []uint8{uint8(7 + i), uint8(2 * i), uint8(255 - i)}[c])
		}
	}
	square := image.Rect(0, 0, 4, 4)
	alpha, paletted := image.NewNRGBA(square), image.NewPaletted(square, nil)
	for i := range 16 {
		c := color.NRGBA{want[i], want[16+i], want[32+i], 255}
		alpha.Set(i%4, i/4, c)
		paletted.Palette = append(paletted.Palette, c)
		paletted.Pix[i] = uint8(i)
	}
	for name, file := range map[string][]byte{
		"colour":   colourPNG(t, 4, 4, 7),
		"opaque":   encodePNG(t, claimsAlpha{alpha}),
		"paletted": encodePNG(t, paletted),
	} {
		ds := mustOpen(t, tree(t, map[string][]byte{"a.png": file}), Options{})
		if diff := cmp.Diff(want, imageOf(t, ds, 0)); diff != "" || ds.Shape() != (Shape{3, 4, 4}) {
			t.Errorf("%s: %v: %s", name, ds.Shape(), diff)
		}
	}
}

// claimsAlpha is an opaque image that the encoder gives an alpha channel all
// the same.
type claimsAlpha struct{ *image.NRGBA }

func (claimsAlpha) Opaque() bool { return false }

func TestJPEG(t *testing.T) {
	grey, colour := image.NewGray(image.Rect(0, 0, 8, 8)), image.NewRGBA(image.Rect(0, 0, 8, 8))
	for i := range 64 {
		grey.Pix[i] = 90
		colour.Set(i%8, i/8, color.RGBA{200, 100, 50, 255})
	}
	g := mustOpen(t, tree(t, map[string][]byte{"a.jpg": encodeJPEG(t, grey)}), Options{})
	c := mustOpen(t, tree(t, map[string][]byte{"a.JPEG": encodeJPEG(t, colour)}), Options{})
	if g.Shape() != (Shape{1, 8, 8}) || c.Shape() != (Shape{3, 8, 8}) {
		t.Fatalf("shapes %v and %v", g.Shape(), c.Shape())
	}
	if diff := cmp.Diff(bytes.Repeat([]byte{90}, 64), imageOf(t, g, 0)); diff != "" {
		t.Error(diff)
	}
	for i, v := range imageOf(t, c, 0) {
		if want := []int{200, 100, 50}[i/64]; int(v) < want-3 || int(v) > want+3 {
			t.Fatalf("value %d is %d, want about %d", i, v, want)
		}
	}
}

func TestResolutionCropsTheCentreAndScales(t *testing.T) {
	// Left and right thirds are white, the middle third is a grey of its own.
	img := image.NewGray(image.Rect(0, 0, 24, 8))
	for i := range img.Pix {
		if x := i % 24; x < 8 || x >= 16 {
			img.Pix[i] = 255
		} else {
			img.Pix[i] = 77
		}
	}
	dir := tree(t, map[string][]byte{"wide.png": encodePNG(t, img), "small.png": greyPNG(t, 4, 6, 0)})
	for _, r := range []int{4, 8, 20} {
		ds := mustOpen(t, dir, Options{Resolution: r})
		if ds.Shape() != (Shape{1, r, r}) {
			t.Fatalf("shape %v", ds.Shape())
		}
		if diff := cmp.Diff(bytes.Repeat([]byte{77}, r*r), imageOf(t, ds, 1)); diff != "" {
			t.Errorf("resolution %d: %s", r, diff)
		}
	}
	// At the size of the crop nothing is filtered: rows 1 to 4 of 6.
	if diff := cmp.Diff(ramp(16, 4), imageOf(t, mustOpen(t, dir, Options{Resolution: 4}), 0)); diff != "" {
		t.Error(diff)
	}
}

func TestRGBAllowsBothKinds(t *testing.T) {
	dir := tree(t, map[string][]byte{"a.png": greyPNG(t, 2, 2, 9), "b.png": colourPNG(t, 2, 2, 0)})
	wantError(t, openError(dir, Options{}), "b.png is 2x2 colour but a.png is 2x2 greyscale")
	ds := mustOpen(t, dir, Options{RGB: true})
	want := append(append(ramp(4, 9), ramp(4, 9)...), ramp(4, 9)...)
	if diff := cmp.Diff(want, imageOf(t, ds, 0)); diff != "" {
		t.Error(diff)
	}
	if got := imageOf(t, ds, 1); got[8] != 255 || got[0] != 0 {
		t.Errorf("the colour image is %v", got)
	}
}

func TestLinks(t *testing.T) {
	outside := tree(t, map[string][]byte{"a.png": greyPNG(t, 2, 2, 3)})
	dir := t.TempDir()
	if err := os.Symlink(filepath.Join(outside, "a.png"), filepath.Join(dir, "link.png")); err != nil {
		t.Logf("no links here: %v", err)
		return
	}
	if got := imageOf(t, mustOpen(t, dir, Options{}), 0); got[0] != 3 {
		t.Errorf("the image is %v", got)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "more")); err != nil {
		t.Fatal(err)
	}
	wantError(t, openError(dir, Options{}), "more is a link to a folder")
}

// counted counts the files opened.
type counted struct {
	imageSource
	mu sync.Mutex
	n  map[string]int
}

func (c *counted) open(name string) (io.ReadCloser, int64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n[name]++
	return c.imageSource.open(name)
}

func TestCacheKeepsWithinItsBudget(t *testing.T) {
	files := map[string][]byte{}
	var names []string
	for i := range 6 {
		name := fmt.Sprintf("%d.png", i)
		files[name] = greyPNG(t, 4, 4, i)
		names = append(names, name)
	}
	dir := tree(t, files)
	for _, kept := range []int{0, 2, 6} {
		source := &counted{imageSource: folderSource(dir), n: map[string]int{}}
		m, err := newImages(dir, source, names, Options{CacheBytes: int64(16*kept + 15)})
		if err != nil {
			t.Fatal(err)
		}
		clear(source.n) // the headers
		for range 3 {
			for i := range 6 {
				if diff := cmp.Diff(ramp(16, i), imageOf(t, m, i)); diff != "" {
					t.Fatal(diff)
				}
			}
		}
		for i, name := range names {
			want := 3
			if i < kept {
				want = 1
			}
			if source.n[name] != want {
				t.Errorf("cache of %d images: %s was read %d times, want %d", kept, name, source.n[name], want)
			}
		}
	}
}

func TestImagesConcurrently(t *testing.T) {
	files := map[string][]byte{}
	for i := range 40 {
		files[fmt.Sprintf("%02d.png", i)] = greyPNG(t, 8, 8, i)
	}
	ds := mustOpen(t, tree(t, files), Options{CacheBytes: 20 * 64})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			buf := make([]uint8, 64)
			for k := range 120 {
				i := (k*7 + g) % 40
				if err := ds.Image(i, buf); err != nil || !bytes.Equal(buf, ramp(64, i)) {
					t.Errorf("image %d: %v", i, err)
				}
				clear(buf) // the cache must not share it
			}
		})
	}
	wg.Wait()
}
