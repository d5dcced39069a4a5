package augment

import (
	"errors"
	"fmt"
	"runtime"
)

const (
	minResolution = 2       // a reflection needs a neighbour
	maxResolution = 1 << 10 // a warp takes some 230 bytes a pixel of memory
)

// Pipe augments square images of one shape. It is safe for concurrent use.
type Pipe struct {
	uses       [numTransforms]bool
	chance     [numTransforms]float64 // probability of each transform
	labels     int
	channels   int
	resolution int
	free       chan *scratch // working memory not in use
}

// New returns a Pipe for images of channels x resolution x resolution. Colour
// transforms need 1 or 3 channels, Hue and Saturation 3: they would not change
// a grey image, and their labels would say that they did.
func New(o Options, channels, resolution int) (*Pipe, error) {
	errs := []error{o.Validate()}
	if channels < 1 {
		errs = append(errs, fmt.Errorf("%d channels, want 1 or more", channels))
	}
	if resolution < minResolution || resolution > maxResolution {
		errs = append(errs, fmt.Errorf("resolution %d, want %d to %d", resolution, minResolution, maxResolution))
	}
	p := &Pipe{
		channels: channels, resolution: resolution,
		free: make(chan *scratch, runtime.GOMAXPROCS(0)),
	}
	for k, m := range o.multipliers() {
		t := transform(k)
		if m == 0 {
			continue
		}
		p.uses[t], p.chance[t] = true, m*o.P
		p.labels += t.labels()
		errs = append(errs, checkChannels(t, channels))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("augment: new pipe: %w", err)
	}
	return p, nil
}

func checkChannels(t transform, channels int) error {
	switch {
	case t < brightness || channels == 3 || channels < 1:
		return nil
	case t == hue || t == saturation:
		return fmt.Errorf("option %v for %d channels: want 3 (RGB), or a multiplier of 0", t, channels)
	case channels == 1:
		return nil
	}
	return fmt.Errorf("option %v for %d channels: want 1 (grey) or 3 (RGB), or a multiplier of 0", t, channels)
}

// Labels returns the number of labels of an image: AugmentDim of the network.
func (p *Pipe) Labels() int { return p.labels }

// Apply augments img, [C,H,W] in [-1, 1], in place and writes its labels,
// Labels() of them. The result is a function of the seed and the image
// number alone. Labels of zero mean that img is as it was, to the bit. Values
// may leave [-1, 1]. No memory is allocated once each goroutine has called it.
// It fails if a length does not fit, and then changes nothing.
func (p *Pipe) Apply(img, labels []float32, seed, image uint64) error {
	if want := p.channels * p.resolution * p.resolution; len(img) != want {
		return fmt.Errorf("augment: apply: image of %d values, want %d for %dx%dx%d",
			len(img), want, p.channels, p.resolution, p.resolution)
	}
	if len(labels) != p.labels {
		return fmt.Errorf("augment: apply: room for %d labels, want %d", len(labels), p.labels)
	}
	d := draw(seed, image)
	pl := p.plan(&d, labels)
	p.execute(&pl, img)
	return nil
}

// execute applies the plan to img.
func (p *Pipe) execute(pl *plan, img []float32) {
	s := p.take()
	defer p.give(s)
	p.executeIn(s, pl, img, s.mirrors())
}

// executeIn is execute in given memory, with the image continued as far as
// known where it is warped.
func (p *Pipe) executeIn(s *scratch, pl *plan, img []float32, known [2]window) {
	size := p.resolution * p.resolution
	warp := pl.warp != identity()
	if warp {
		s.aim(pl.warp, known)
	}
	for c := range p.channels {
		plane := img[c*size:][:size]
		s.movePixels(plane, pl)
		if warp {
			s.resample(plane)
		}
	}
	if pl.colour != unchanged() {
		pl.colour.apply(img, p.channels)
	}
}

// take returns working memory for one image. Unlike a sync.Pool, the channel
// keeps it through garbage collections.
func (p *Pipe) take() *scratch {
	select {
	case s := <-p.free:
		return s
	default:
		return newScratch(p.resolution)
	}
}

func (p *Pipe) give(s *scratch) {
	select {
	case p.free <- s:
	default: // more goroutines than processors: let it go
	}
}
