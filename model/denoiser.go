package model

import (
	"context"
	"fmt"
	"math/bits"
)

// Denoiser is a Model with weights, for sampling: it implements
// sample.Denoiser.
type Denoiser struct {
	model   *Model
	weights []float32
	version uint64 // of the weights
	batch   int
}

// Denoiser returns D with a flat buffer of weights, which must not change while
// the Denoiser is in use: kernels cache values computed from them. Make a new one
// after a change, which costs nothing. It runs at most batch images at a time.
func (m *Model) Denoiser(weights []float32, batch int) (*Denoiser, error) {
	if len(weights) != m.layout.Size {
		return nil, fmt.Errorf("model: weights of %d elements, want %d", len(weights), m.layout.Size)
	}
	if batch < 1 {
		return nil, fmt.Errorf("model: batch of %d images, want at least 1", batch)
	}
	if err := m.device.hold(m, weights); err != nil {
		return nil, err
	}
	m.versions++
	return &Denoiser{model: m, weights: weights, version: m.versions, batch: batch}, nil
}

// SigmaRange returns the noise levels that the preconditioning supports.
func (d *Denoiser) SigmaRange() (min, max float64) { return d.model.config.Precond.SigmaRange() }

// RoundSigma returns the supported noise level nearest to sigma.
func (d *Denoiser) RoundSigma(sigma float64) float64 {
	return d.model.config.Precond.RoundSigma(sigma)
}

// Denoise writes D(x; sigma) to dst. x and dst are [N, C*H*W]; labels is [N,
// LabelDim], or nil for the zero label. The network computes in float32; an
// image's result does not depend on the others in the batch.
func (d *Denoiser) Denoise(ctx context.Context, dst, x []float64, sigma float64, labels []float32) error {
	one := [1]float64{sigma}
	return d.denoise(ctx, dst, x, one[:], labels)
}

// DenoiseRows is Denoise with a noise level for each image: sigmas is [N]. An
// image's result is that of Denoise at its own level.
func (d *Denoiser) DenoiseRows(ctx context.Context, dst, x, sigmas []float64, labels []float32) error {
	if n := len(x) / d.model.config.Dim(); len(sigmas) != n {
		return fmt.Errorf("model: denoise: %d noise levels for %d images", len(sigmas), n)
	}
	return d.denoise(ctx, dst, x, sigmas, labels)
}

// denoise runs as many batches as x needs; sigmas holds a level for each image,
// or one for all.
func (d *Denoiser) denoise(ctx context.Context, dst, x, sigmas []float64, labels []float32) error {
	dim, classes := d.model.config.Dim(), d.model.config.Network.LabelDim
	if len(x)%dim != 0 || len(dst) != len(x) {
		return fmt.Errorf("model: denoise: %d and %d elements, want equal multiples of %d", len(dst), len(x), dim)
	}
	if labels != nil && len(labels) != len(x)/dim*classes {
		return fmt.Errorf("model: denoise: %d label values for %d images of %d classes", len(labels), len(x)/dim, classes)
	}
	for at, end := 0, 0; at < len(x)/dim; at = end {
		if err := ctx.Err(); err != nil {
			return err
		}
		end = at + d.part(len(x)/dim-at)
		levels := sigmas
		if len(sigmas) > 1 {
			levels = sigmas[at:end]
		}
		var rows []float32
		if len(labels) > 0 {
			rows = labels[at*classes : end*classes]
		}
		if err := d.some(dst[at*dim:end*dim], x[at*dim:end*dim], levels, rows); err != nil {
			return err
		}
	}
	return nil
}

// part returns the number of images, of n, to evaluate at once: a whole batch, or a
// power of two of the rest. Each number of images needs a program with its own memory,
// and adaptive solvers ask for fewer images as some finish: with every number there
// would be as many programs as images.
func (d *Denoiser) part(n int) int {
	if n >= d.batch {
		return d.batch
	}
	return 1 << (bits.Len(uint(n)) - 1)
}

// some denoises up to one batch; sigmas is as in denoise.
func (d *Denoiser) some(dst, x, sigmas []float64, labels []float32) error {
	n := len(x) / d.model.config.Dim()
	p, err := d.model.evaluation(n)
	if err != nil {
		return err
	}
	if err := p.setWeights(d.weights, d.version); err != nil {
		return err
	}
	if err := setRows("class labels", p.labels, labels, n, n); err != nil {
		return err
	}
	for i := range n {
		p.setSigma(i, sigmas[min(i, len(sigmas)-1)])
	}
	for i, v := range x {
		p.x[i] = float32(v)
	}
	if err := p.RunAll(); err != nil {
		return err
	}
	for i, v := range p.out {
		dst[i] = float64(v)
	}
	return nil
}
