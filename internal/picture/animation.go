package picture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"image/gif"
	"image/png"
	"io"
	"math"
	"time"
)

// Frame is one picture of an animation.
type Frame struct {
	Image image.Image
	Delay time.Duration // how long it is shown; files hold hundredths of seconds
}

// EncodeGIF writes frames, all of one size, as an animated GIF that repeats for
// ever. Each frame has a palette of its own: exact for grey pictures, chosen by
// median cut for others.
func EncodeGIF(w io.Writer, frames []Frame) error {
	if err := checkFrames(frames); err != nil {
		return fmt.Errorf("picture: encode GIF: %w", err)
	}
	var g gif.GIF
	for _, f := range frames {
		g.Image = append(g.Image, Paletted(f.Image))
		g.Delay = append(g.Delay, int(f.hundredths()))
	}
	if err := gif.EncodeAll(w, &g); err != nil {
		return fmt.Errorf("picture: encode GIF: %w", err)
	}
	return nil
}

// EncodeAPNG writes frames, all of one size, as an animated PNG that repeats for
// ever and carries the texts, in order. Viewers that know no animation show its
// first frame.
func EncodeAPNG(w io.Writer, frames []Frame, texts []Text) error {
	file, err := apng(frames, texts)
	if err == nil {
		_, err = w.Write(file)
	}
	if err != nil {
		return fmt.Errorf("picture: encode APNG: %w", err)
	}
	return nil
}

func checkFrames(frames []Frame) error {
	if len(frames) == 0 {
		return errors.New("no frames, want at least one")
	}
	size := frames[0].Image.Bounds().Size()
	for i, f := range frames {
		if f.Image.Bounds().Size() != size {
			return fmt.Errorf("frame %d is %v, want %v as the first", i, f.Image.Bounds().Size(), size)
		}
	}
	return nil
}

// hundredths returns the delay as files hold it.
func (f Frame) hundredths() uint16 {
	return uint16(min(max(math.Round(f.Delay.Seconds()*100), 0), math.MaxUint16))
}

// apng joins the frames' PNG files: the first one's header and pixels, and the
// others' pixels as frame data (PNG specification, third edition, 11.3.6).
func apng(frames []Frame, texts []Text) ([]byte, error) {
	if err := checkFrames(frames); err != nil {
		return nil, err
	}
	chunks, err := textChunks(texts)
	if err != nil {
		return nil, err
	}
	out := []byte(signature)
	number := uint32(0) // of the animation's chunks
	for i, f := range frames {
		header, pixels, err := split(f.Image)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			out = append(appendChunk(out, "IHDR", string(header)), chunks...)
			out = appendChunk(out, "acTL", string(words(uint32(len(frames)), 0)))
		}
		out = appendChunk(out, "fcTL", string(f.control(number)))
		number++
		if i == 0 {
			out = appendChunk(out, "IDAT", string(pixels))
			continue
		}
		out = appendChunk(out, "fdAT", string(words(number))+string(pixels))
		number++
	}
	return appendChunk(out, "IEND", ""), nil
}

// control returns the contents of a frame's fcTL chunk: number, size, place,
// delay, and that the frame replaces the one before.
func (f Frame) control(number uint32) []byte {
	size := f.Image.Bounds().Size()
	b := words(number, uint32(size.X), uint32(size.Y), 0, 0)
	b = binary.BigEndian.AppendUint16(b, f.hundredths())
	b = binary.BigEndian.AppendUint16(b, 100)
	return append(b, 0, 0)
}

func words(v ...uint32) []byte {
	var b []byte
	for _, w := range v {
		b = binary.BigEndian.AppendUint32(b, w)
	}
	return b
}

// split returns the contents of the header and of the joined pixel chunks of an
// image's PNG file. All frames are encoded as RGB, so that one header holds for
// them.
func split(img image.Image) (header, pixels []byte, err error) {
	b := img.Bounds()
	rgb := image.NewRGBA(image.Rectangle{Max: b.Size()})
	draw.Draw(rgb, rgb.Bounds(), image.White, image.Point{}, draw.Src)
	draw.Draw(rgb, rgb.Bounds(), img, b.Min, draw.Over)
	var buf bytes.Buffer
	if err := png.Encode(&buf, rgb); err != nil {
		return nil, nil, err
	}
	rest := buf.Bytes()[len(signature):]
	for {
		kind, data, tail, err := cutChunk(rest)
		if err != nil {
			return nil, nil, err
		}
		switch kind {
		case "IHDR":
			header = data
		case "IDAT":
			pixels = append(pixels, data...)
		case "IEND":
			return header, pixels, nil
		}
		rest = tail
	}
}
