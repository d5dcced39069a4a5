package sample

import (
	"context"
	"fmt"
	"math"
)

// run is one integration: what a solver works on. The workspace outlives it,
// so that a second run allocates nothing.
type run struct {
	den    Denoiser
	opts   Options
	sigmas []float64 // t_0 .. t_N, the last 0
	work   [][]float64

	ctx    context.Context
	x      []float64 // the state, [N, dim]
	dim    int
	labels []float32
	noise  Noise
	hook   func(Step) error
	nfe    int
}

func (r *run) numSteps() int { return len(r.sigmas) - 1 }

// begin takes b over and scales its latents to the first noise level.
func (r *run) begin(ctx context.Context, b Batch) {
	r.ctx, r.x, r.dim, r.labels = ctx, b.X, b.Dim, b.Labels
	r.noise, r.hook, r.nfe = b.Noise, b.Hook, 0
	for j := range r.x {
		r.x[j] *= r.sigmas[0]
	}
}

// end lets go of the caller's memory.
func (r *run) end() {
	r.ctx, r.x, r.labels, r.noise, r.hook = nil, nil, nil, nil, nil
}

// buffer returns workspace number k, as long as the state and with arbitrary
// contents.
func (r *run) buffer(k int) []float64 {
	for len(r.work) <= k {
		r.work = append(r.work, nil)
	}
	if cap(r.work[k]) < len(r.x) {
		r.work[k] = make([]float64, len(r.x))
	}
	r.work[k] = r.work[k][:len(r.x)]
	return r.work[k]
}

// denoise writes D(x; sigma) to dst for step i and counts the evaluation. A
// cancelled context and a result that is not finite are errors.
func (r *run) denoise(dst, x []float64, i int, sigma float64) error {
	err := r.ctx.Err()
	if err == nil {
		err = r.den.Denoise(r.ctx, dst, x, sigma, r.labels)
	}
	if err != nil {
		return fmt.Errorf("sample: step %d of %d at sigma %g: %w", i, r.numSteps(), sigma, err)
	}
	r.nfe++
	if j := firstNonFinite(dst); j >= 0 {
		return fmt.Errorf("sample: step %d of %d at sigma %g: the denoiser returned %g for number %d of image %d; check its weights and its precision",
			i, r.numSteps(), sigma, dst[j], j%r.dim, j/r.dim)
	}
	return nil
}

// stepDone tells the hook that step i has taken the state to tNext.
func (r *run) stepDone(i int, tHat, tNext float64, denoised []float64) error {
	if r.hook == nil {
		return nil
	}
	err := r.hook(Step{
		Index: i, NumSteps: r.numSteps(), Sigma: tHat, SigmaNext: tNext,
		X: r.x, Denoised: denoised,
	})
	if err != nil {
		return fmt.Errorf("sample: hook at step %d of %d: %w", i, r.numSteps(), err)
	}
	return nil
}

// firstNonFinite returns the index of the first infinity or NaN in x, or -1.
func firstNonFinite(x []float64) int {
	const exponent = 0x7FF << 52 // all ones in infinities and NaNs alone
	for j, v := range x {
		if math.Float64bits(v)&exponent == exponent {
			return j
		}
	}
	return -1
}
