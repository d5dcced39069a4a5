package train

import (
	"edm/data"
	"edm/internal/rng"
	"edm/loss"
	"edm/model"
)

// draws fills a model.Batch with everything random about a range of images,
// each a function of the seed and the image's number alone: noise level, noise,
// label dropout.
type draws struct {
	loss         loss.EDM
	seed         uint64
	classes      int
	labelDropout float64
	dim          int
	batch        model.Batch
}

// newDraws returns the draws of microbatches of a configuration; the total loss
// is the mean over a whole batch of each image's pixel sum, as published.
func newDraws(c Config, dim int) *draws {
	n := c.Micro
	d := &draws{
		loss: c.Loss(), seed: c.Seed, classes: c.Classes, labelDropout: c.LabelDropout, dim: dim,
		batch: model.Batch{
			Noise: make([]float32, n*dim), Sigma: make([]float64, n), Weight: make([]float64, n),
			Seed: c.Seed, Counter: make([]int64, n), Dropout: c.Dropout, Gradient: 1 / float64(c.Batch),
		},
	}
	if d.classes > 0 {
		d.batch.Labels = make([]float32, n*d.classes)
	}
	return d
}

// fill prepares images [at, at+n) of a loader's batch.
func (d *draws) fill(b *data.Batch, at int) *model.Batch {
	m := &d.batch
	n := len(m.Sigma)
	m.Images = b.Images[at*d.dim : (at+n)*d.dim]
	clear(m.Labels)
	for i := range n {
		counter := b.Start + int64(at+i)
		m.Counter[i] = counter
		m.Sigma[i] = d.loss.Draw(d.seed, uint64(counter))
		m.Weight[i] = d.loss.Weight(m.Sigma[i])
		rng.FillNormal(m.Noise[i*d.dim:(i+1)*d.dim], d.seed, rng.Noise, uint64(counter))
		if d.classes > 0 && !d.dropsLabel(counter) {
			m.Labels[i*d.classes+b.Labels[at+i]] = 1
		}
	}
	return m
}

func (d *draws) dropsLabel(counter int64) bool {
	if d.labelDropout == 0 {
		return false
	}
	r := rng.New(d.seed, rng.Label, uint64(counter))
	return r.Float64() < d.labelDropout
}
