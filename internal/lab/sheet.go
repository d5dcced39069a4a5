package lab

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"

	xdraw "golang.org/x/image/draw"
	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"
)

// The sheet's measures, in pixels.
const (
	cellSide   = 64 // an image is enlarged by a whole number to about this, at least
	sheetGap   = 6
	lineHeight = 15
	glyphWidth = 7
)

// cell is one field of a sheet: some images in a row with a caption.
type cell struct {
	images  []image.Image
	caption string
}

// Sheet returns the comparison as a picture: a row of the references, a row for
// each sampler with a column for each budget, and in each field the images of
// the first shown latents, the same in all. decode makes a picture of an image's
// numbers.
func (c *Comparison) Sheet(shown int, decode func([]float64) (image.Image, error)) (image.Image, error) {
	s := &sheet{dim: c.Dim, shown: shown, decode: decode}
	if len(c.References) > 0 {
		s.startRow("reference")
	}
	for _, r := range c.References {
		if err := s.add(r.Images, fmt.Sprintf("sigma %.4g: %d NFE", r.SigmaMax, r.NFE)); err != nil {
			return nil, err
		}
	}
	for i, t := range c.Trials {
		if i == 0 || c.Trials[i-1].Entry != t.Entry {
			s.startRow(t.Entry)
		}
		if err := s.add(t.Images, t.caption()); err != nil {
			return nil, err
		}
	}
	return s.draw()
}

// caption names the evaluations of a trial's images.
func (t Trial) caption() string {
	switch {
	case t.Note != "":
		return "none at " + t.allowed()
	case t.Tolerance > 0:
		return fmt.Sprintf("%s: %d NFE", t.allowed(), t.NFE)
	}
	return fmt.Sprintf("%d NFE", t.NFE)
}

// sheet is a picture in the making.
type sheet struct {
	dim, shown int
	decode     func([]float64) (image.Image, error)
	titles     []string
	rows       [][]cell
}

func (s *sheet) startRow(title string) {
	s.titles, s.rows = append(s.titles, title), append(s.rows, nil)
}

// add puts the first images of pixels, which may be none, into the last row.
func (s *sheet) add(pixels []float64, caption string) error {
	c := cell{caption: caption}
	for i := range min(s.shown, len(pixels)/s.dim) {
		img, err := s.decode(pixels[i*s.dim : (i+1)*s.dim])
		if err != nil {
			return fmt.Errorf("lab: sheet: %w", err)
		}
		c.images = append(c.images, img)
	}
	last := len(s.rows) - 1
	s.rows[last] = append(s.rows[last], c)
	return nil
}

// size returns that of one image.
func (s *sheet) size() (image.Point, bool) {
	for _, row := range s.rows {
		for _, c := range row {
			if len(c.images) > 0 {
				return c.images[0].Bounds().Size(), true
			}
		}
	}
	return image.Point{}, false
}

func (s *sheet) draw() (image.Image, error) {
	size, ok := s.size()
	if !ok {
		return nil, fmt.Errorf("lab: sheet: %w: no sampler made an image", ErrNothing)
	}
	size = size.Mul(max(1, (cellSide+size.X-1)/size.X))
	columns, widest := 0, s.shown*size.X+(s.shown-1)*2
	for _, row := range s.rows {
		columns = max(columns, len(row))
		for _, c := range row {
			widest = max(widest, glyphWidth*len(c.caption))
		}
	}
	step := image.Pt(widest+sheetGap, size.Y+lineHeight+sheetGap)
	rowHeight := step.Y + lineHeight
	out := image.NewRGBA(image.Rect(0, 0, sheetGap+max(columns*step.X, s.titleWidth()), sheetGap+len(s.rows)*rowHeight))
	draw.Draw(out, out.Bounds(), image.White, image.Point{}, draw.Src)
	for j, row := range s.rows {
		at := image.Pt(sheetGap, sheetGap+j*rowHeight)
		write(out, at, s.titles[j])
		for i, c := range row {
			c.draw(out, at.Add(image.Pt(i*step.X, lineHeight)), size)
		}
	}
	return out, nil
}

// titleWidth returns the room that the rows' titles need.
func (s *sheet) titleWidth() int {
	w := 0
	for _, t := range s.titles {
		w = max(w, glyphWidth*len(t)+sheetGap)
	}
	return w
}

func (c cell) draw(out draw.Image, at, size image.Point) {
	for i, img := range c.images {
		corner := at.Add(image.Pt(i*(size.X+2), 0))
		xdraw.NearestNeighbor.Scale(out, image.Rectangle{corner, corner.Add(size)}, img, img.Bounds(), draw.Src, nil)
	}
	write(out, at.Add(image.Pt(0, size.Y)), c.caption)
}

// write writes one line of ASCII text, its corner at.
func write(out draw.Image, at image.Point, text string) {
	d := font.Drawer{
		Dst: out, Src: image.NewUniform(color.Gray{40}), Face: basicfont.Face7x13,
		Dot: fixed.P(at.X, at.Y+12),
	}
	d.DrawString(text)
}
