package picture

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestLevel(t *testing.T) {
	for x, want := range map[float64]uint8{
		-1: 0, 1: 255, 0: 128, -2: 0, 7: 255, math.Inf(1): 255, math.Inf(-1): 0,
		-1 / 127.5: 127, 0.999 / 127.5: 128, 1 / 127.5: 129,
	} {
		if got := Level(x); got != want {
			t.Errorf("Level(%v) = %d, want %d", x, got, want)
		}
	}
	for v := range 256 {
		if got := Level(float64(float32(v)/127.5 - 1)); got != uint8(v) {
			t.Errorf("level %d comes back as %d", v, got)
		}
	}
}

// A colour image keeps its planes apart, and the file has three channels.
func TestImage(t *testing.T) {
	x := []float64{-1, 1, 0, 0, 1, -1, 1, 1, 1, -1, -1, 1} // [3,2,2]
	img, err := Image(x, 3, 2, 2)
	if err != nil {
		t.Fatal(err)
	}
	got := decode(t, img, nil)
	for i, want := range []color.RGBA{{0, 255, 255, 255}, {255, 0, 0, 255}, {128, 255, 0, 255}, {128, 255, 255, 255}} {
		if c := color.RGBAModel.Convert(got.At(i%2, i/2)); c != want {
			t.Errorf("pixel %d is %v, want %v", i, c, want)
		}
	}
	if _, ok := got.(*image.RGBA); !ok {
		t.Errorf("colour file decodes as %T, want RGB without alpha", got)
	}
	grey, err := Image(x[:6], 1, 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	if g, ok := decode(t, grey, nil).(*image.Gray); !ok || !bytes.Equal(g.Pix, []byte{0, 255, 128, 128, 255, 0}) {
		t.Errorf("grey file decodes as %v", g)
	}
}

func TestImageFaults(t *testing.T) {
	for _, c := range []struct {
		x       []float64
		c, h, w int
		want    string
	}{
		{make([]float64, 8), 2, 2, 2, "2 channels"},
		{make([]float64, 3), 1, 2, 2, "3 numbers"},
		{nil, 1, 0, 2, "0 numbers"},
		{[]float64{0, math.NaN()}, 1, 1, 2, "number 1 of the image is NaN"},
	} {
		if _, err := Image(c.x, c.c, c.h, c.w); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}

// Every pixel of the grid is its image's or white.
func TestGrid(t *testing.T) {
	const h, w, columns, n = 2, 3, 3, 5
	var images []image.Image
	for i := range n {
		g := image.NewGray(image.Rect(0, 0, w, h))
		for j := range g.Pix {
			g.Pix[j] = uint8(10*i + j)
		}
		images = append(images, g)
	}
	grid, err := Grid(images, columns)
	if err != nil {
		t.Fatal(err)
	}
	g := grid.(*image.Gray)
	if want := image.Pt(columns*(w+Gap)+Gap, 2*(h+Gap)+Gap); g.Bounds().Size() != want {
		t.Fatalf("grid is %v, want %v", g.Bounds().Size(), want)
	}
	for y := range g.Bounds().Dy() {
		for x := range g.Bounds().Dx() {
			want := uint8(255)
			cx, cy := (x-Gap)/(w+Gap), (y-Gap)/(h+Gap)
			px, py := x-Gap-cx*(w+Gap), y-Gap-cy*(h+Gap)
			if i := cy*columns + cx; px >= 0 && py >= 0 && px < w && py < h && i < n {
				want = uint8(10*i + py*w + px)
			}
			if got := g.GrayAt(x, y).Y; got != want {
				t.Fatalf("pixel %d,%d is %d, want %d", x, y, got, want)
			}
		}
	}
}

func TestGridFaults(t *testing.T) {
	small, large := image.NewGray(image.Rect(0, 0, 2, 2)), image.NewGray(image.Rect(0, 0, 3, 3))
	colour := image.NewRGBA(image.Rect(0, 0, 2, 2))
	for _, images := range [][]image.Image{nil, {small, large}, {small, colour}} {
		if _, err := Grid(images, 2); err == nil {
			t.Errorf("grid of %d odd images made no error", len(images))
		}
	}
	if _, err := Grid([]image.Image{small}, 0); err == nil {
		t.Error("a grid of 0 columns made no error")
	}
}

// Texts come back whatever is in them, and the file stays a PNG that others
// can read.
func TestTextRoundTrip(t *testing.T) {
	img := image.NewGray(image.Rect(0, 0, 3, 2))
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.Custom(func(rt *rapid.T) Text {
			return Text{
				rapid.StringMatching(`[!-~]([!-~]| [!-~]){0,38}`).Draw(rt, "key"),
				strings.ReplaceAll(rapid.String().Draw(rt, "value"), "\x00", ""),
			}
		})
		texts := rapid.SliceOf(text).Draw(rt, "texts")
		var buf bytes.Buffer
		if err := Encode(&buf, img, texts); err != nil {
			rt.Fatal(err)
		}
		got, err := ReadTexts(bytes.NewReader(buf.Bytes()))
		if err != nil {
			rt.Fatal(err)
		}
		if len(texts)+len(got) > 0 && !cmp.Equal(texts, got) {
			rt.Fatal(cmp.Diff(texts, got))
		}
		if _, err := png.Decode(&buf); err != nil {
			rt.Fatal(err)
		}
	})
}

// The bytes of a tEXt chunk as the PNG specification has them; the checksum is
// that of Python's zlib.crc32(b"tEXtseed\0007").
func TestTextChunkBytes(t *testing.T) {
	got, err := textChunks([]Text{{"seed", "7"}})
	if err != nil {
		t.Fatal(err)
	}
	if want := "\x00\x00\x00\x06tEXtseed\x007\x31\x36\x51\x07"; string(got) != want {
		t.Errorf("chunk % x, want % x", got, want)
	}
}

func TestTextFaults(t *testing.T) {
	img := image.NewGray(image.Rect(0, 0, 1, 1))
	for _, text := range []Text{
		{"", "x"}, {strings.Repeat("k", 80), "x"}, {" seed", "x"}, {"a  b", "x"}, {"né", "x"}, {"a\nb", "x"},
		{"seed", "a\x00b"}, {"seed", "\xff"},
	} {
		var buf bytes.Buffer
		if err := Encode(&buf, img, []Text{text}); err == nil || buf.Len() > 0 {
			t.Errorf("%q: error %v and %d bytes written, want an error and none", text, err, buf.Len())
		}
	}
}

func TestReadTextsFaults(t *testing.T) {
	var buf bytes.Buffer
	if err := Encode(&buf, image.NewGray(image.Rect(0, 0, 1, 1)), []Text{{"seed", "7"}}); err != nil {
		t.Fatal(err)
	}
	file := buf.Bytes()
	for n := range file {
		if _, err := ReadTexts(bytes.NewReader(file[:n])); err == nil {
			t.Errorf("the first %d of %d bytes were read without an error", n, len(file))
		}
	}
	for i := range file {
		bad := bytes.Clone(file)
		bad[i] ^= 4
		if _, err := ReadTexts(bytes.NewReader(bad)); err == nil {
			t.Errorf("a flipped bit in byte %d went unseen", i)
		}
	}
}

func decode(t *testing.T, img image.Image, texts []Text) image.Image {
	t.Helper()
	var buf bytes.Buffer
	if err := Encode(&buf, img, texts); err != nil {
		t.Fatal(err)
	}
	out, err := png.Decode(&buf)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
