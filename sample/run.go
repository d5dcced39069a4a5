package sample

import (
	"context"
	"fmt"
	"math"
)

// run is one integration: what a solver works on. The workspace outlives it,
// so that a second run allocates nothing.
type run struct {
	den     Denoiser
	opts    Options
	plan    // times and noise levels
	work    [][]float64
	fresh   fresh
	unscale []float64 // x/s, where s is not 1

	ctx      context.Context
	x        []float64 // the state, [N, dim]
	dim      int
	labels   []float32
	hook     func(Step) error
	nfe      int
	imageNFE []int // of adaptive solvers
}

func (r *run) numSteps() int { return len(r.times) - 1 }

// images returns N.
func (r *run) images() int { return len(r.x) / r.dim }

// begin takes b over and makes its latents the state at the first noise level:
// s (image + sigma n).
func (r *run) begin(ctx context.Context, b Batch) {
	r.ctx, r.x, r.dim, r.labels = ctx, b.X, b.Dim, b.Labels
	r.hook, r.nfe, r.imageNFE = b.Hook, 0, nil
	sigma := r.sigmas[0]
	s := r.process.s(sigma)
	for j := range r.x {
		r.x[j] *= s * sigma
	}
	for j, v := range b.Image {
		r.x[j] += s * v
	}
}

// end lets go of the caller's memory.
func (r *run) end() {
	r.fresh.end()
	r.ctx, r.x, r.labels, r.hook = nil, nil, nil, nil
}

// buffer returns workspace number k, as long as the state and with arbitrary
// contents.
func (r *run) buffer(k int) []float64 {
	for len(r.work) <= k {
		r.work = append(r.work, nil)
	}
	r.work[k] = resized(r.work[k], len(r.x))
	return r.work[k]
}

// resized returns b with length n and arbitrary contents.
func resized(b []float64, n int) []float64 {
	if cap(b) < n {
		return make([]float64, n)
	}
	return b[:n]
}

// denoise writes D(x/s; sigma) to dst, for step i at the time of at.
func (r *run) denoise(dst, x []float64, i int, at slope) error {
	if at.scale == 1 {
		return r.denoiseAt(dst, x, i, at.sigma)
	}
	r.unscale = resized(r.unscale, len(x))
	by := 1 / at.scale
	for j, v := range x {
		r.unscale[j] = v * by
	}
	return r.denoiseAt(dst, r.unscale, i, at.sigma)
}

// denoiseAt writes D(x; sigma) to dst for step i and counts the evaluation. A
// cancelled context and a result that is not finite are errors.
func (r *run) denoiseAt(dst, x []float64, i int, sigma float64) error {
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

// stepDone tells the hook that step i has taken the state from noise level
// sigma to that of the step's end.
func (r *run) stepDone(i int, sigma float64, denoised []float64) error {
	if r.hook == nil {
		return nil
	}
	next := r.sigmas[i+1]
	err := r.hook(Step{
		Index: i, NumSteps: r.numSteps(), Sigma: sigma, SigmaNext: next,
		Scale: r.process.s(next), X: r.x, Denoised: denoised,
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
