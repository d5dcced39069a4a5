package main

import (
	"fmt"
	"image"
	"image/color"
	_ "image/jpeg" // --edit and --inpaint read both kinds
	_ "image/png"
	"io"
	"os"

	"golang.org/x/image/draw"

	"edm/sample/generate"
)

// maxSide bounds the images that are read.
const maxSide = 1 << 14

// readPixels returns a PNG or JPEG file as an image of a source's shape, [C,H,W]
// in [-1, 1]: its middle square, scaled (Catmull-Rom) unless it has the size
// already.
func readPixels(path string, s generate.Source) ([]float64, error) {
	img, err := readImage(path)
	if err != nil {
		return nil, err
	}
	square := middle(img.Bounds())
	out := image.NewRGBA(image.Rect(0, 0, s.Width, s.Height))
	if square.Dx() == s.Width && square.Dy() == s.Height {
		draw.Copy(out, image.Point{}, img, square, draw.Src, nil)
	} else {
		draw.CatmullRom.Scale(out, out.Bounds(), img, square, draw.Src, nil)
	}
	plane := s.Width * s.Height
	pixels := make([]float64, s.Channels*plane)
	for i := range plane {
		c := out.RGBAAt(i%s.Width, i/s.Width)
		levels := []uint8{c.R, c.G, c.B}
		if s.Channels == 1 {
			levels = []uint8{color.GrayModel.Convert(c).(color.Gray).Y}
		}
		for k := range pixels[:s.Channels] {
			pixels[k*plane+i] = float64(levels[k])/127.5 - 1
		}
	}
	return pixels, nil
}

func readImage(path string) (image.Image, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w: want a PNG or JPEG file", err)
	}
	defer f.Close()
	c, _, err := image.DecodeConfig(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: want a PNG or JPEG file", path, err)
	}
	if c.Width < 1 || c.Height < 1 || c.Width > maxSide || c.Height > maxSide {
		return nil, fmt.Errorf("%s: %dx%d pixels, want 1 to %d a side", path, c.Width, c.Height, maxSide)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	img, _, err := image.Decode(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return img, nil
}

// middle returns the largest square in the middle of r.
func middle(r image.Rectangle) image.Rectangle {
	side := min(r.Dx(), r.Dy())
	corner := r.Min.Add(image.Pt((r.Dx()-side)/2, (r.Dy()-side)/2))
	return image.Rectangle{corner, corner.Add(image.Pt(side, side))}
}
