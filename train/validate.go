package train

import (
	"errors"
	"fmt"

	"edm/data"
	"edm/internal/rng"
	"edm/model"
)

// validation is the loss on images held out of training, each with one fixed
// noise level and one fixed noise. The levels are the quantiles (i+1/2)/n of
// the training distribution, so the mean has little noise of its own, and they
// do not depend on the run's seed: runs with one objective compare. Nothing is
// augmented.
type validation struct {
	levels
	program *model.Loss
	axis    axis
	batches []model.Batch
	losses  []float64
}

// newValidation prepares the triples of every image of ds.
func newValidation(c Config, m *model.Model, ds data.Dataset) (*validation, error) {
	l, err := newLevels(c)
	if err != nil {
		return nil, err
	}
	program, err := m.NewLoss(l.loss, c.Micro, false)
	if err != nil {
		return nil, err
	}
	v := &validation{levels: l, program: program, axis: newAxis(l.loss), losses: make([]float64, c.Micro)}
	for at := 0; at < ds.Len(); at += c.Micro {
		b, err := v.triples(c, ds, at, m.Config().Dim())
		if err != nil {
			return nil, errors.Join(fmt.Errorf("train: validation: %w", err), program.Close())
		}
		v.batches = append(v.batches, b)
	}
	return v, nil
}

// triples prepares up to Micro images from number at on. A short batch is
// filled with copies of its first image at weight zero.
func (v *validation) triples(c Config, ds data.Dataset, at, dim int) (model.Batch, error) {
	n := min(c.Micro, ds.Len()-at)
	b := model.Batch{
		Pixels: make([]uint8, c.Micro*dim), Stream: rng.Validate, Counter: make([]int64, c.Micro),
		Sigma: make([]float64, c.Micro), Weight: make([]float64, c.Micro),
	}
	if c.Classes > 0 {
		b.Labels = make([]float32, c.Micro*c.Classes)
	}
	for i := range c.Micro {
		k := at
		if i < n {
			k += i
		}
		if err := ds.Image(k, b.Pixels[i*dim:(i+1)*dim]); err != nil {
			return b, err
		}
		b.Counter[i] = int64(k)
		b.Sigma[i] = v.supported(v.loss.Quantile((float64(k) + 0.5) / float64(ds.Len())))
		if i < n {
			b.Weight[i] = v.loss.Weight(b.Sigma[i])
		}
		if label := ds.Label(k); c.Classes > 0 && label >= 0 {
			b.Labels[i*c.Classes+label] = 1
		}
	}
	return b, nil
}

// run returns the mean loss of the weights and the losses by noise level.
func (v *validation) run(weights []float32) (float64, []Bin, error) {
	b := bins{axis: v.axis}
	for i := range v.batches {
		batch := &v.batches[i]
		if err := v.program.Run(weights, nil, v.losses, batch); err != nil {
			return 0, nil, fmt.Errorf("train: validation: %w", err)
		}
		for k, w := range batch.Weight {
			if w > 0 {
				b.add(batch.Sigma[k], v.losses[k])
			}
		}
	}
	return b.mean(), b.result(), nil
}
