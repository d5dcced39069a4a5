package model

import (
	"errors"
	"fmt"

	"gorgonia.org/gorgonia"

	"edm/internal/engine"
	"edm/internal/rng"
)

// Batch is the input of the loss of n images. Pixels and drawn noise need fewer bytes
// on the way to a GPU than Images and Noise, which hold any other values.
type Batch struct {
	Pixels  []uint8   // [n,C,H,W], clean: 0 stands for -1, 255 for 1
	Images  []float32 // [n,C,H,W], clean; nil for those of Pixels
	Noise   []float32 // [n,C,H,W], unit normal; nil for draws of (Seed, Stream, Counter)
	Sigma   []float64 // [n], noise levels
	Weight  []float64 // [n], lambda(sigma)
	Labels  []float32 // [n,LabelDim], or nil for zeros
	Augment []float32 // [n,AugmentDim], or nil for zeros

	Seed     uint64     // key of the dropout masks and of noise that is drawn
	Stream   rng.Stream // of noise that is drawn
	Counter  []int64    // [n], image numbers of the dropout masks and of noise that is drawn
	Dropout  float64    // probability; 0 leaves it out
	Gradient float64    // derivative of the total loss by the loss of one image
}

// wide is an input with numbers for every element of the images, which are given
// or made on the device.
type wide struct {
	node *gorgonia.Node
	host []float32 // nil as long as none were given
}

// give copies numbers to an input, or feeds it where they are nil.
func (l *Loss) give(w *wide, numbers []float32, f engine.Feed) error {
	if numbers == nil {
		return l.program.Feed(w.node, f)
	}
	if w.host == nil {
		w.host = make([]float32, len(numbers))
	}
	copy(w.host, numbers)
	return l.program.Bind(w.node, engine.Buffer{F32: w.host})
}

// check returns an error for a field that is missing or has another length.
func (l *Loss) check(b *Batch) error {
	size := l.n * l.program.dim
	images := len(b.Images)
	if b.Images == nil {
		images = len(b.Pixels)
	}
	if images != size || (b.Noise != nil && len(b.Noise) != size) || len(b.Sigma) != l.n || len(b.Weight) != l.n {
		return fmt.Errorf("model: loss: batch of %d images, %d noise, %d sigma and %d weight for %d images of %d elements",
			images, len(b.Noise), len(b.Sigma), len(b.Weight), l.n, l.program.dim)
	}
	if b.Noise == nil && b.Stream == 0 {
		return errors.New("model: loss: batch without noise: give Noise, or the Stream to draw it from")
	}
	if n := len(b.Counter); n != l.n && (b.Noise == nil || l.dropout != nil) {
		return fmt.Errorf("model: loss: %d image counters for %d images", n, l.n)
	}
	return nil
}

// set brings a batch to the inputs.
func (l *Loss) set(b *Batch) error {
	if err := l.check(b); err != nil {
		return err
	}
	if err := l.give(&l.images, b.Images, engine.Pixels(b.Pixels)); err != nil {
		return fmt.Errorf("model: loss: images: %w", err)
	}
	if err := l.give(&l.noise, b.Noise, engine.Normals{Seed: b.Seed, Stream: b.Stream, Index: b.Counter}); err != nil {
		return fmt.Errorf("model: loss: noise: %w", err)
	}
	for i, s := range b.Sigma {
		l.program.setSigma(i, s)
		l.sigma[i], l.weight[i] = float32(s), float32(b.Weight[i])
	}
	for i := range l.gradient {
		l.gradient[i] = float32(b.Gradient)
	}
	if l.dropout != nil {
		l.dropout[0], l.key[0] = float32(b.Dropout), int64(b.Seed)
		copy(l.counter, b.Counter)
	}
	if err := setRows("class labels", l.program.labels, b.Labels, l.n, l.n); err != nil {
		return err
	}
	return setRows("augmentation labels", l.program.augment, b.Augment, l.n, l.n)
}
