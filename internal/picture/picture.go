// Package picture turns a sampler's output into PNG files: 8-bit images,
// grids of them, and the text chunks that say how each was made.
package picture

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"math"
)

// Level returns the 8-bit value of a pixel in the units of training, [-1, 1]:
// clip(127.5 x + 128, 0, 255) without its fraction, as in the published
// sampler. It is the inverse of the scaling of the training images.
func Level(x float64) uint8 {
	return uint8(min(max(x*127.5+128, 0), 255))
}

// Image returns pixels, [C,H,W] row-major in [-1, 1], as a picture: grey for
// one channel, RGB for three. Any other shape and a value that is NaN are
// errors.
func Image(pixels []float64, channels, height, width int) (image.Image, error) {
	if channels != 1 && channels != 3 {
		return nil, fmt.Errorf("picture: image of %d channels, want 1 (grey) or 3 (RGB)", channels)
	}
	if height < 1 || width < 1 || len(pixels) != channels*height*width {
		return nil, fmt.Errorf("picture: image of %d numbers, want %dx%dx%d", len(pixels), channels, height, width)
	}
	for i, v := range pixels {
		if math.IsNaN(v) {
			return nil, fmt.Errorf("picture: number %d of the image is NaN", i)
		}
	}
	if channels == 1 {
		return grey(pixels, height, width), nil
	}
	return rgb(pixels, height, width), nil
}

func grey(pixels []float64, height, width int) image.Image {
	img := image.NewGray(image.Rect(0, 0, width, height))
	for i, v := range pixels {
		img.Pix[i] = Level(v)
	}
	return img
}

func rgb(pixels []float64, height, width int) image.Image {
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	plane := height * width
	for i := range plane {
		img.Pix[4*i] = Level(pixels[i])
		img.Pix[4*i+1] = Level(pixels[plane+i])
		img.Pix[4*i+2] = Level(pixels[2*plane+i])
		img.Pix[4*i+3] = math.MaxUint8
	}
	return img
}

// Gap is the number of white pixels between the images of a Grid and around
// them.
const Gap = 2

// Grid returns the images, all of one size and kind, in rows of the given
// number of columns. The last row may be short; the rest of it is white.
func Grid(images []image.Image, columns int) (image.Image, error) {
	if len(images) == 0 || columns < 1 {
		return nil, fmt.Errorf("picture: grid of %d images in %d columns, want at least 1 of each", len(images), columns)
	}
	columns = min(columns, len(images))
	rows := (len(images) + columns - 1) / columns
	size := images[0].Bounds().Size()
	frame := image.Rect(0, 0, columns*(size.X+Gap)+Gap, rows*(size.Y+Gap)+Gap)
	out := canvas(images[0].ColorModel(), frame)
	for i, img := range images {
		if img.Bounds().Size() != size || img.ColorModel() != images[0].ColorModel() {
			return nil, fmt.Errorf("picture: image %d of the grid differs from the first in size or kind", i)
		}
		at := image.Pt(Gap+i%columns*(size.X+Gap), Gap+i/columns*(size.Y+Gap))
		draw.Draw(out, image.Rectangle{at, at.Add(size)}, img, img.Bounds().Min, draw.Src)
	}
	return out, nil
}

// canvas returns a white image: grey if the model is, else RGB.
func canvas(m color.Model, frame image.Rectangle) draw.Image {
	if m == color.GrayModel {
		img := image.NewGray(frame)
		fill(img.Pix)
		return img
	}
	img := image.NewRGBA(frame)
	fill(img.Pix)
	return img
}

func fill(pix []uint8) {
	for i := range pix {
		pix[i] = math.MaxUint8
	}
}

// Encode writes img to w as a PNG that carries the texts, in order.
func Encode(w io.Writer, img image.Image, texts []Text) error {
	chunks, err := textChunks(texts)
	if err != nil {
		return fmt.Errorf("picture: encode: %w", err)
	}
	var buf bytes.Buffer
	if err := png.Encode(&buf, img); err != nil {
		return fmt.Errorf("picture: encode: %w", err)
	}
	file := buf.Bytes()
	// The header chunk comes first and has a fixed size. Text may stand
	// anywhere after it; before the pixels, readers find it soonest.
	const header = len(signature) + chunkOverhead + 13
	if len(file) < header || string(file[len(signature)+4:len(signature)+8]) != "IHDR" {
		return errors.New("picture: encode: the image encoder wrote no PNG header")
	}
	for _, part := range [][]byte{file[:header], chunks, file[header:]} {
		if _, err := w.Write(part); err != nil {
			return fmt.Errorf("picture: encode: %w", err)
		}
	}
	return nil
}
