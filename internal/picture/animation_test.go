package picture

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/gif"
	"image/png"
	"testing"
	"time"

	"edm/internal/rng"
)

// noisy returns an image of so many random colours at most.
func noisy(seed uint64, size, colours int) *image.RGBA {
	draw := rng.New(seed, rng.Augment, 0)
	palette := make([]color.RGBA, colours)
	for i := range palette {
		v := draw.Uint32()
		palette[i] = color.RGBA{uint8(v), uint8(v >> 8), uint8(v >> 16), 255}
	}
	img := image.NewRGBA(image.Rect(0, 0, size, size))
	for y := range size {
		for x := range size {
			img.SetRGBA(x, y, palette[draw.Intn(colours)])
		}
	}
	return img
}

// difference returns the largest difference of a channel.
func difference(a, b image.Image) int {
	most := 0
	for y := range a.Bounds().Dy() {
		for x := range a.Bounds().Dx() {
			p := color.RGBAModel.Convert(a.At(a.Bounds().Min.X+x, a.Bounds().Min.Y+y)).(color.RGBA)
			q := color.RGBAModel.Convert(b.At(b.Bounds().Min.X+x, b.Bounds().Min.Y+y)).(color.RGBA)
			for _, d := range []int{int(p.R) - int(q.R), int(p.G) - int(q.G), int(p.B) - int(q.B)} {
				most = max(most, d, -d)
			}
		}
	}
	return most
}

// Up to 256 colours, and all greys, are kept exactly.
func TestPalettedExact(t *testing.T) {
	grey := image.NewGray(image.Rect(0, 0, 16, 16))
	for i := range grey.Pix {
		grey.Pix[i] = uint8(i)
	}
	for _, img := range []image.Image{noisy(1, 40, 1), noisy(2, 40, 7), noisy(3, 60, 256), grey} {
		if d := difference(img, Paletted(img)); d != 0 {
			t.Errorf("colours of an image with few differ by %d", d)
		}
	}
}

// Of more colours, each pixel gets one near its own: on a smooth picture of the
// whole colour cube, in boxes of about 1/6 of a side.
func TestPalettedMany(t *testing.T) {
	img := image.NewRGBA(image.Rect(0, 0, 64, 64))
	for i := range 64 * 64 {
		img.SetRGBA(i%64, i/64, color.RGBA{uint8(i % 16 * 17), uint8(i / 16 % 16 * 17), uint8(i / 256 * 17), 255})
	}
	out := Paletted(img)
	if d := difference(img, out); len(out.Palette) != 256 || d > 48 || d == 0 {
		t.Errorf("%d colours, off by up to %d", len(out.Palette), d)
	}
}

func frames() []Frame {
	return []Frame{
		{noisy(1, 12, 9), 70 * time.Millisecond}, {noisy(2, 12, 9), 250 * time.Millisecond}, {noisy(3, 12, 200), 2 * time.Second},
	}
}

func TestEncodeGIF(t *testing.T) {
	var buf bytes.Buffer
	if err := EncodeGIF(&buf, frames()); err != nil {
		t.Fatal(err)
	}
	g, err := gif.DecodeAll(&buf)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range frames() {
		if d := difference(f.Image, g.Image[i]); d != 0 {
			t.Errorf("frame %d differs by %d", i, d)
		}
		if want := []int{7, 25, 200}[i]; g.Delay[i] != want {
			t.Errorf("frame %d is shown for %d, want %d", i, g.Delay[i], want)
		}
	}
	if len(g.Image) != 3 || g.LoopCount != 0 {
		t.Errorf("%d frames, loop count %d", len(g.Image), g.LoopCount)
	}
}

// An APNG is a PNG of its first frame; each frame's data, put into a PNG of its
// own, is that frame, and the chunks are numbered without gaps.
func TestEncodeAPNG(t *testing.T) {
	var buf bytes.Buffer
	texts := []Text{{"seed", "3"}}
	if err := EncodeAPNG(&buf, frames(), texts); err != nil {
		t.Fatal(err)
	}
	file := buf.Bytes()
	first, err := png.Decode(bytes.NewReader(file))
	if err != nil || difference(first, frames()[0].Image) != 0 {
		t.Fatalf("the still image is not the first frame (%v)", err)
	}
	if got, err := ReadTexts(bytes.NewReader(file)); err != nil || len(got) != 1 || got[0] != texts[0] {
		t.Errorf("texts %v (%v)", got, err)
	}
	var header []byte
	var numbers []uint32
	var delays []uint16
	var data [][]byte
	for rest := file[len(signature):]; ; {
		kind, content, tail, err := cutChunk(rest)
		if err != nil {
			t.Fatal(err)
		}
		switch kind {
		case "IHDR":
			header = content
		case "acTL":
			if n, plays := binary.BigEndian.Uint32(content), binary.BigEndian.Uint32(content[4:]); n != 3 || plays != 0 {
				t.Errorf("%d frames, %d plays", n, plays)
			}
		case "fcTL":
			numbers = append(numbers, binary.BigEndian.Uint32(content))
			if w, h := binary.BigEndian.Uint32(content[4:]), binary.BigEndian.Uint32(content[8:]); w != 12 || h != 12 || len(content) != 26 {
				t.Errorf("frame control of %d bytes for %dx%d", len(content), w, h)
			}
			delays = append(delays, binary.BigEndian.Uint16(content[20:]))
		case "IDAT":
			data = append(data, content)
		case "fdAT":
			numbers = append(numbers, binary.BigEndian.Uint32(content))
			data = append(data, content[4:])
		}
		if rest = tail; kind == "IEND" {
			break
		}
	}
	for i, n := range numbers {
		if int(n) != i {
			t.Errorf("chunk numbers %v", numbers)
		}
	}
	for i, d := range data {
		still := appendChunk([]byte(signature), "IHDR", string(header))
		still = appendChunk(appendChunk(still, "IDAT", string(d)), "IEND", "")
		img, err := png.Decode(bytes.NewReader(still))
		if err != nil || difference(img, frames()[i].Image) != 0 {
			t.Errorf("frame %d is not what was encoded (%v)", i, err)
		}
	}
	if len(data) != 3 || len(numbers) != 5 || delays[0] != 7 || delays[2] != 200 {
		t.Errorf("%d frames, numbers %v, delays %v", len(data), numbers, delays)
	}
}

func TestAnimationFaults(t *testing.T) {
	var buf bytes.Buffer
	mixed := []Frame{{Image: noisy(1, 4, 2)}, {Image: noisy(1, 5, 2)}}
	for _, f := range [][]Frame{nil, mixed} {
		if EncodeGIF(&buf, f) == nil || EncodeAPNG(&buf, f, nil) == nil {
			t.Errorf("%d frames that do not fit make no error", len(f))
		}
	}
	if EncodeAPNG(&buf, frames(), []Text{{"", "x"}}) == nil || buf.Len() > 0 {
		t.Error("an impossible text makes no error, or a part of a file")
	}
}

func TestEnlarge(t *testing.T) {
	grey := image.NewGray(image.Rect(3, 3, 5, 4))
	grey.Pix[0], grey.Pix[1] = 10, 200
	big := Enlarge(grey, 3)
	if big.Bounds() != image.Rect(0, 0, 6, 3) || big.ColorModel() != color.GrayModel {
		t.Fatalf("%v of %v", big.Bounds(), big.ColorModel())
	}
	for x := range 6 {
		if want := []uint8{10, 200}[x/3]; big.At(x, 2) != (color.Gray{want}) {
			t.Errorf("pixel %d is %v, want %d", x, big.At(x, 2), want)
		}
	}
	if Enlarge(grey, 1) != image.Image(grey) {
		t.Error("enlarging by 1 makes another image")
	}
}
