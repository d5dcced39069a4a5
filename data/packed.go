package data

import (
	"errors"
	"fmt"
)

// packed is a dataset held in memory as one array.
type packed struct {
	name    string
	stored  Shape // as in pixels
	shape   Shape // as presented: stored plus a border, perhaps in RGB
	classes int
	names   []string
	labels  []uint8 // nil: none
	pixels  []uint8
}

func (p *packed) Name() string         { return p.name }
func (p *packed) Len() int             { return len(p.pixels) / p.stored.Len() }
func (p *packed) Shape() Shape         { return p.shape }
func (p *packed) NumClasses() int      { return p.classes }
func (p *packed) ClassNames() []string { return p.names }

func (p *packed) Label(i int) int {
	if p.labels == nil {
		return -1
	}
	return int(p.labels[i])
}

func (p *packed) Image(i int, dst []uint8) error {
	if err := checkImage(p, i, dst); err != nil {
		return err
	}
	src := p.pixels[i*p.stored.Len():][:p.stored.Len()]
	if p.shape == p.stored {
		copy(dst, src)
		return nil
	}
	clear(dst)
	h, w := p.stored.Height, p.stored.Width
	top, left := (p.shape.Height-h)/2, (p.shape.Width-w)/2
	for c := range p.shape.Channels {
		plane := src[c%p.stored.Channels*h*w:]
		for y := range h {
			row := (c*p.shape.Height+top+y)*p.shape.Width + left
			copy(dst[row:row+w], plane[y*w:])
		}
	}
	return nil
}

// present sets the shape that o asks for.
func (p *packed) present(o Options) error {
	p.shape = p.stored
	if o.RGB {
		p.shape.Channels = 3
	}
	h, w, r := p.stored.Height, p.stored.Width, o.Resolution
	switch {
	case r == 0 && h != w:
		return fmt.Errorf("images are %dx%d: expected square ones; ask for a resolution of %d or more to add a border", h, w, max(h, w))
	case r == 0:
		return nil
	case r < max(h, w):
		return fmt.Errorf("images are %dx%d: a resolution of %d would need scaling, which is for image folders and zips only; ask for %d or more, or 0", h, w, r, max(h, w))
	}
	p.shape.Height, p.shape.Width = r, r
	return nil
}

// setLabels attaches one label an image; the largest tells how many classes
// there are.
func (p *packed) setLabels(labels []uint8) error {
	if len(labels) != p.Len() {
		return fmt.Errorf("%d labels for %d images", len(labels), p.Len())
	}
	if len(labels) == 0 {
		return errors.New("no labels")
	}
	p.labels = labels
	for _, l := range labels {
		p.classes = max(p.classes, int(l)+1)
	}
	return nil
}
