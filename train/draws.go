package train

import (
	"fmt"

	"edm/data"
	"edm/data/augment"
	"edm/internal/rng"
	"edm/loss"
	"edm/model"
	"edm/model/precond"
)

// levels gives noise levels in training: those of the objective, as the network
// supports them.
type levels struct {
	loss    loss.Objective
	precond precond.Preconditioning
}

func newLevels(c Config) (levels, error) {
	o, err := c.Objective()
	if err != nil {
		return levels{}, err
	}
	p, err := c.preconditioning()
	if err != nil {
		return levels{}, fmt.Errorf("train: %w", err)
	}
	return levels{o, p}, nil
}

// supported returns the noise level nearest to sigma that samplers will ask the
// network for.
func (l levels) supported(sigma float64) float64 {
	low, high := l.precond.SigmaRange()
	return l.precond.RoundSigma(min(max(sigma, low), high))
}

// draws fills microbatches with everything random about a range of images, each a
// function of the seed and the image's number alone: augmentation, noise level, label
// dropout, and the numbers that the device draws the noise by.
type draws struct {
	levels
	config       Config
	pipe         *augment.Pipe // nil for none
	seed         uint64
	classes      int
	labelDropout float64
	dim          int
}

// newDraws returns the draws of microbatches of a configuration; the total loss
// is the mean over a whole batch of each image's pixel sum, as published.
func newDraws(c Config, dim int) (*draws, error) {
	d := &draws{config: c, seed: c.Seed, classes: c.Classes, labelDropout: c.LabelDropout, dim: dim}
	var err error
	if d.levels, err = newLevels(c); err != nil {
		return nil, err
	}
	if d.pipe, err = c.pipe(); err != nil {
		return nil, err
	}
	return d, nil
}

// newBatch allocates a microbatch.
func (d *draws) newBatch() *microbatch {
	c, n := d.config, d.config.Micro
	m := &microbatch{Batch: model.Batch{
		Sigma: make([]float64, n), Weight: make([]float64, n),
		Seed: c.Seed, Stream: rng.Noise, Counter: make([]int64, n), Dropout: c.Dropout, Gradient: 1 / float64(c.Batch),
	}}
	if d.classes > 0 {
		m.Labels = make([]float32, n*d.classes)
	}
	if d.pipe != nil {
		m.augmented = make([]float32, n*d.dim)
		m.Augment = make([]float32, n*d.pipe.Labels())
	}
	return m
}

// fill makes m images [at, at+Micro) of a loader's batch, whose pixels it refers to.
func (d *draws) fill(m *microbatch, b *data.Batch, at int) error {
	n := len(m.Sigma)
	m.Pixels = b.Pixels[at*d.dim : (at+n)*d.dim]
	clear(m.Labels)
	for i := range n {
		counter := b.Start + int64(at+i)
		m.Counter[i] = counter
		m.Sigma[i] = d.supported(d.loss.Draw(d.seed, uint64(counter)))
		m.Weight[i] = d.loss.Weight(m.Sigma[i])
		// An image without a label is trained as one whose label was dropped.
		if label := b.Labels[at+i]; d.classes > 0 && label >= 0 && !d.dropsLabel(counter) {
			m.Labels[i*d.classes+label] = 1
		}
	}
	return d.augment(m)
}

// augment transforms the clean images of a microbatch and labels them. The results are
// no 8-bit values.
func (d *draws) augment(m *microbatch) error {
	if d.pipe == nil {
		return nil
	}
	data.Normalize(m.augmented, m.Pixels)
	m.Images = m.augmented
	labels := d.pipe.Labels()
	for i, counter := range m.Counter {
		err := d.pipe.Apply(m.Images[i*d.dim:(i+1)*d.dim], m.Augment[i*labels:(i+1)*labels], d.seed, uint64(counter))
		if err != nil {
			return fmt.Errorf("image %d: %w", counter, err)
		}
	}
	return nil
}

func (d *draws) dropsLabel(counter int64) bool {
	if d.labelDropout == 0 {
		return false
	}
	r := rng.New(d.seed, rng.Label, uint64(counter))
	return r.Float64() < d.labelDropout
}
