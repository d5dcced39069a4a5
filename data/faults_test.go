package data

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"os"
	"path/filepath"
	"testing"
)

// resized returns a PNG file whose header declares another size.
func resized(file []byte, w, h uint32) []byte {
	out := bytes.Clone(file)
	const ihdr = 12 // after the signature and the chunk's length
	binary.BigEndian.PutUint32(out[ihdr+4:], w)
	binary.BigEndian.PutUint32(out[ihdr+8:], h)
	binary.BigEndian.PutUint32(out[ihdr+17:], crc32.ChecksumIEEE(out[ihdr:ihdr+17]))
	return out
}

// cmykJPEG is the header of an 8x8 JPEG with four components.
func cmykJPEG() []byte {
	out := []byte{0xff, 0xd8, 0xff, 0xc0, 0, 20, 8, 0, 8, 0, 8, 4}
	for c := range byte(4) {
		out = append(out, c+1, 0x11, 0)
	}
	return append(out, 0xff, 0xda, 0, 14, 4, 1, 0, 2, 0, 3, 0, 4, 0, 0, 63, 0)
}

func TestImageFolderFaults(t *testing.T) {
	square := image.Rect(0, 0, 4, 4)
	clear := image.NewNRGBA(square)
	clear.Set(1, 1, color.NRGBA{1, 2, 3, 128})
	clearPalette := image.NewPaletted(square, color.Palette{color.Black, color.Transparent})
	clearPalette.Pix[3] = 1
	png := greyPNG(t, 4, 4, 0)
	jpeg := encodeJPEG(t, image.NewGray(image.Rect(0, 0, 16, 16)))
	flipped := bytes.Clone(png)
	flipped[len(flipped)-18] ^= 4
	cases := map[string]struct {
		files map[string][]byte
		words []string
	}{
		"empty":             {nil, []string{"the folder is empty"}},
		"no images":         {map[string][]byte{"a.txt": nil, "b/c": nil}, []string{"no PNG or JPEG images (and 2 other files)"}},
		"mixed sizes":       {map[string][]byte{"a.png": png, "b.png": greyPNG(t, 5, 5, 0)}, []string{"b.png is 5x5", "a.png is 4x4", "resolution"}},
		"not square":        {map[string][]byte{"a.png": greyPNG(t, 4, 5, 0)}, []string{"a.png is 4x5", "square", "resolution"}},
		"16 bit grey":       {map[string][]byte{"a.png": encodePNG(t, image.NewGray16(square))}, []string{"a.png", "16 bits"}},
		"16 bit colour":     {map[string][]byte{"a.png": encodePNG(t, image.NewRGBA64(square))}, []string{"a.png", "16 bits"}},
		"CMYK":              {map[string][]byte{"a.jpg": cmykJPEG()}, []string{"a.jpg", "CMYK"}},
		"alpha":             {map[string][]byte{"a.png": encodePNG(t, clear)}, []string{"a.png", "transparent"}},
		"clear palette":     {map[string][]byte{"a.png": encodePNG(t, clearPalette)}, []string{"a.png", "transparent"}},
		"grey and colour":   {map[string][]byte{"a.png": png, "b.png": colourPNG(t, 4, 4, 0)}, []string{"b.png is 4x4 colour", "a.png is 4x4 greyscale", "RGB"}},
		"truncated PNG":     {map[string][]byte{"a.png": png[:len(png)-20]}, []string{"a.png", "truncated or damaged PNG"}},
		"no PNG end":        {map[string][]byte{"a.png": png[:len(png)-12]}, []string{"a.png", "truncated or damaged PNG"}},
		"truncated header":  {map[string][]byte{"a.png": png[:20]}, []string{"a.png", "truncated or damaged PNG"}},
		"flipped bit":       {map[string][]byte{"a.png": flipped}, []string{"a.png", "damaged PNG"}},
		"truncated JPEG":    {map[string][]byte{"a.jpg": jpeg[:len(jpeg)-10]}, []string{"a.jpg", "truncated or damaged JPEG"}},
		"empty file":        {map[string][]byte{"a.png": nil}, []string{"a.png", "neither PNG nor JPEG"}},
		"text":              {map[string][]byte{"a.jpg": []byte("this is not an image")}, []string{"a.jpg", "neither PNG nor JPEG"}},
		"pixel bomb":        {map[string][]byte{"a.png": resized(png, 1<<16, 1<<16)}, []string{"a.png", "65536x65536 pixels"}},
		"size lie":          {map[string][]byte{"a.png": resized(png, 900, 900)}, []string{"a.png", "PNG"}},
		"webp":              {map[string][]byte{"a.png": png, "b.WebP": nil}, []string{"b.WebP", "unsupported file type .webp"}},
		"loose and classes": {map[string][]byte{"a.png": png, "cats/b.png": png}, []string{"a.png is in no class", "cats", `{"labels": null}`}},
		"nested labels":     {map[string][]byte{"x/a.png": png, "x/dataset.json": nil}, []string{"x/dataset.json", "at the top"}},
		"missing label":     {map[string][]byte{"a.png": png, "dataset.json": []byte(`{"labels": []}`)}, []string{"dataset.json", "no label for a.png"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			dir := tree(t, c.files)
			wantError(t, openError(dir, DefaultOptions()), append(c.words, dir)...)
		})
	}
}

func TestOpenAloneFindsTransparency(t *testing.T) {
	img := image.NewNRGBA(image.Rect(0, 0, 4, 4)) // all clear
	dir := tree(t, map[string][]byte{"a.png": colourPNG(t, 4, 4, 0), "b.png": encodePNG(t, img)})
	_, err := Open(dir, Options{})
	wantError(t, err, "data: open "+dir, "b.png", "transparent")
}

func TestHugeImageFileIsRefused(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir, "a.png", greyPNG(t, 4, 4, 0))
	if err := os.Truncate(path, maxImageBytes+1); err != nil {
		t.Fatal(err)
	}
	wantError(t, openError(dir, Options{}), "a.png", "67108865 bytes", "at most 67108864")
}

func TestImageThatChangesAfterOpen(t *testing.T) {
	dir := tree(t, map[string][]byte{"a.png": greyPNG(t, 4, 4, 0), "b.png": greyPNG(t, 4, 4, 0)})
	ds := mustOpen(t, dir, DefaultOptions())
	write(t, dir, "a.png", greyPNG(t, 5, 5, 0))
	wantError(t, ds.Image(0, make([]uint8, 16)), "data: read "+dir+": a.png", "changed", "5x5", "4x4")
	if err := os.Remove(filepath.Join(dir, "b.png")); err != nil {
		t.Fatal(err)
	}
	wantError(t, ds.Image(1, make([]uint8, 16)), "b.png", "no such file")
}

func TestOpenUnsupportedFiles(t *testing.T) {
	images, labels := idxPair()
	for name, c := range map[string]struct {
		content []byte
		words   []string
	}{
		"empty":                  {nil, []string{"empty or truncated", "expected the demo set"}},
		"text.txt":               {[]byte("text"), []string{"unsupported file type", "expected the demo set"}},
		"photo.png":              {greyPNG(t, 4, 4, 0), []string{"one image file", "folder"}},
		"something.bin":          {[]byte("text"), []string{"4 bytes", "3073"}},
		"text.gz":                {gzipped(t, []byte("text")), []string{"unsupported file type"}},
		"empty.gz":               {gzipped(t, nil), []string{"empty or truncated"}},
		"train-labels-idx1":      {labels, []string{"1 dimensions", "images have 3"}},
		"train-images-idx3.part": {images[:30], []string{"truncated"}},
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, t.TempDir(), name, c.content)
			wantError(t, openError(path, Options{}), append(c.words, "data: open "+path)...)
		})
	}
	wantError(t, openError(filepath.Join(t.TempDir(), "none"), Options{}), "none: no such file or folder: expected the demo set")
}
