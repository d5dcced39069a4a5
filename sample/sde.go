package sample

import (
	"fmt"
	"math"
)

// The general SDE is the probability-flow ODE with Langevin dynamics at some
// rate mixed in (EDM Eq. 6). For the unscaled state z = x/s, with the rate
// written as beta sigma'/sigma and the score (D - z) / sigma^2, it reads
//
//	dz = (1 + beta) (sigma'/sigma) (z - D) dt + sqrt(2 beta sigma sigma') dw,
//
// where time runs backwards: the ODE and the Langevin part pull the same way.
// x = s z gives dx = (s'/s) x dt + s dz:
//
//	dx = ((s'/s) x + (1 + beta) (sigma'/sigma) (x - s D)) dt + s sqrt(2 beta sigma sigma') dw.
//
// beta multiplies the pull alone, not s'/s, and the noise has the scale of x.
// beta = 0 is the ODE and beta = 1 the reverse of the process that added the
// noise. Noise of the last step would stay in the image, so that step is the
// ODE's.

// sdeSlope is the general SDE at one time: the drift, which has the form of the
// ODE's slope, and the standard deviation of the noise over a unit of time.
type sdeSlope struct {
	slope
	noise float64
}

// sdeSteps integrates the SDE. step takes r.x over step i, for the SDE and the
// denoised image at its start; the last step, to 0, is Euler's on the ODE.
func (r *run) sdeSteps(step func(r *run, denoised []float64, i int, at sdeSlope) error) error {
	denoised, last := r.buffer(0), r.numSteps()-1
	for i, t := range r.times[:last] {
		at, err := r.sde(i, t)
		if err != nil {
			return err
		}
		if err := r.denoise(denoised, r.x, i, at.slope); err != nil {
			return err
		}
		if err := step(r, denoised, i, at); err != nil {
			return err
		}
		if err := r.stepDone(i, at.sigma, denoised); err != nil {
			return err
		}
	}
	at := r.process.slope(r.times[last])
	if err := r.denoise(denoised, r.x, last, at); err != nil {
		return err
	}
	eulerStep(r.x, r.x, denoised, at, -r.times[last])
	return r.stepDone(last, at.sigma, denoised)
}

// sde returns the SDE at a time of step i.
func (r *run) sde(i int, t float64) (sdeSlope, error) {
	at := sdeSlope{slope: r.process.slope(t)}
	beta, err := r.beta(at.sigma)
	if err != nil {
		return at, fmt.Errorf("sample: step %d of %d: %w", i, r.numSteps(), err)
	}
	at.noise = r.opts.SNoise * at.scale * at.sigma * math.Sqrt(2*beta*at.pull)
	at.pull *= 1 + beta
	return at, nil
}

// beta returns the rate of the Langevin part at a noise level.
func (r *run) beta(sigma float64) (float64, error) {
	if r.opts.BetaFunc == nil {
		return r.opts.Beta, nil
	}
	beta := r.opts.BetaFunc(sigma)
	if !(beta >= 0 && finite(beta)) {
		return 0, fmt.Errorf("BetaFunc(%g) is %g, want a finite number of at least 0", sigma, beta)
	}
	return beta, nil
}

// fullBeta sets the rate of the original reverse SDE.
func fullBeta(o *Options) { o.Beta = 1 }
