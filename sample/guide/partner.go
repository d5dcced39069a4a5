package guide

import (
	"context"

	"edm/sample"
)

// partner is the second term of a guided estimate.
type partner interface {
	// evaluate writes the term's value for the images of r to dst.
	evaluate(ctx context.Context, dst []float64, r request) error
	// mix replaces the main network's estimate d by the guided one, for the term that
	// evaluate returned and images of noise level sigma.
	mix(d, term []float64, sigma float64)
	// idle reports that mix would leave d as it is, alone that it would be term.
	idle() bool
	alone() bool
	// rows reports whether evaluate takes a noise level for each image.
	rows() bool
	cost(sigma float64) int
	sigmaRange() (low, high float64, ok bool)
}

// request is one call of a denoiser: images with one noise level, or, where
// sigmas is not nil, one for each.
type request struct {
	x      []float64
	sigma  float64
	sigmas []float64
	labels []float32
}

// denoise answers r by d, which is a sample.Rows if r needs it.
func (r request) denoise(ctx context.Context, dst []float64, d sample.Denoiser) error {
	if r.sigmas == nil {
		return d.Denoise(ctx, dst, r.x, r.sigma, r.labels)
	}
	return d.(sample.Rows).DenoiseRows(ctx, dst, r.x, r.sigmas, r.labels)
}

// network is a partner that is a denoiser D_g itself: D_g + weight (D - D_g).
type network struct {
	d      sample.Denoiser
	weight float64
}

func (n network) evaluate(ctx context.Context, dst []float64, r request) error {
	return r.denoise(ctx, dst, n.d)
}

func (n network) mix(d, term []float64, _ float64) {
	for j, base := range term {
		d[j] = base + n.weight*(d[j]-base)
	}
}

func (n network) idle() bool  { return n.weight == 1 }
func (n network) alone() bool { return n.weight == 0 }

func (n network) rows() bool {
	_, ok := n.d.(sample.Rows)
	return ok
}

func (n network) cost(sigma float64) int { return cost(n.d, sigma) }

func (n network) sigmaRange() (low, high float64, ok bool) {
	low, high = n.d.SigmaRange()
	return low, high, true
}
