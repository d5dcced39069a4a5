package sample

import (
	"context"
	"fmt"
	"math"
)

// Run is one integration by a Solver. Its workspace outlives it, so that a second run
// allocates nothing.
type Run struct {
	Times  []float64 // t_0 .. t_N, the last 0
	Sigmas []float64 // the noise levels at them, the last 0; of solvers that choose their own steps, the range's ends and 0
	X      []float64 // the state, [N, Dim] row-major: s(t) times the noisy images
	Dim    int       // numbers in an image

	den     Denoiser
	process Process
	work    [][]float64
	fresh   fresh
	unscale []float64 // x/s, where s is not 1

	ctx      context.Context
	labels   []float32
	hook     func(Step) error
	nfe      int
	imageNFE []int // of adaptive solvers
}

// Steps returns N.
func (r *Run) Steps() int { return len(r.Times) - 1 }

// Images returns the number of images.
func (r *Run) Images() int { return len(r.X) / r.Dim }

// Slope returns the probability-flow ODE at a time above 0.
func (r *Run) Slope(t float64) Slope { return r.process.slope(t) }

// begin takes b over and makes its latents the state at the first noise level:
// s (image + sigma n).
func (r *Run) begin(ctx context.Context, b Batch) {
	r.ctx, r.X, r.Dim, r.labels = ctx, b.X, b.Dim, b.Labels
	r.hook, r.nfe, r.imageNFE = b.Hook, 0, nil
	sigma := r.Sigmas[0]
	s := r.process.Scaling.S(sigma)
	for j := range r.X {
		r.X[j] *= s * sigma
	}
	for j, v := range b.Image {
		r.X[j] += s * v
	}
}

// end lets go of the caller's memory.
func (r *Run) end() {
	r.fresh.end()
	r.ctx, r.X, r.labels, r.hook = nil, nil, nil, nil
}

// Buffer returns workspace number k, from 0, as long as the state. It keeps its
// contents during a run.
func (r *Run) Buffer(k int) []float64 {
	for len(r.work) <= k {
		r.work = append(r.work, nil)
	}
	r.work[k] = resized(r.work[k], len(r.X))
	return r.work[k]
}

// resized returns b with length n and arbitrary contents.
func resized(b []float64, n int) []float64 {
	if cap(b) < n {
		return make([]float64, n)
	}
	return b[:n]
}

// Denoise writes D(x/s; sigma) to dst, for step i at the time of at, and counts the
// evaluation. dst and x are [N, Dim] and do not alias. A cancelled context, a failing
// network and a result that is not finite are errors.
func (r *Run) Denoise(dst, x []float64, i int, at Slope) error {
	if at.Scale == 1 {
		return r.DenoiseAt(dst, x, i, at.Sigma)
	}
	r.unscale = resized(r.unscale, len(x))
	by := 1 / at.Scale
	for j, v := range x {
		r.unscale[j] = v * by
	}
	return r.DenoiseAt(dst, r.unscale, i, at.Sigma)
}

// DenoiseAt is Denoise of a state that is not scaled, at noise level sigma.
func (r *Run) DenoiseAt(dst, x []float64, i int, sigma float64) error {
	err := r.ctx.Err()
	if err == nil {
		err = r.den.Denoise(r.ctx, dst, x, sigma, r.labels)
	}
	if err != nil {
		return fmt.Errorf("sample: step %d of %d at sigma %g: %w", i, r.Steps(), sigma, err)
	}
	r.nfe++
	if j := firstNonFinite(dst); j >= 0 {
		return fmt.Errorf("sample: step %d of %d at sigma %g: the denoiser returned %g for number %d of image %d; check its weights and its precision",
			i, r.Steps(), sigma, dst[j], j%r.Dim, j/r.Dim)
	}
	return nil
}

// StepDone tells the caller's hook that step i has taken the state from noise level
// sigma to that of the step's end. denoised is D at the step's start. An error ends the
// run.
func (r *Run) StepDone(i int, sigma float64, denoised []float64) error {
	if r.hook == nil {
		return nil
	}
	next := r.Sigmas[i+1]
	err := r.hook(Step{
		Index: i, NumSteps: r.Steps(), Sigma: sigma, SigmaNext: next,
		Scale: r.process.Scaling.S(next), X: r.X, Denoised: denoised,
	})
	if err != nil {
		return fmt.Errorf("sample: hook at step %d of %d: %w", i, r.Steps(), err)
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
