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

// Rate is beta as a function of the noise level. nil is 0, the ODE; a rate of 1 is the
// reverse of the process that added the noise. A rate below 0 ends the run.
type Rate func(sigma float64) float64

// ConstantRate returns the rate beta at every noise level; nil for 0.
func ConstantRate(beta float64) Rate {
	if beta == 0 {
		return nil
	}
	return func(float64) float64 { return beta }
}

// amount returns 0 for the ODE.
func (b Rate) amount() float64 {
	if b == nil {
		return 0
	}
	return 1
}

// at returns the rate at a noise level, which must be a number of at least 0.
func (b Rate) at(sigma float64) (float64, error) {
	if b == nil {
		return 0, nil
	}
	beta := b(sigma)
	if !(beta >= 0 && finite(beta)) {
		return 0, fmt.Errorf("Beta(%g) is %g, want a finite number of at least 0", sigma, beta)
	}
	return beta, nil
}

// sde is the general SDE with the standard deviation of its noise.
type sde struct {
	beta   Rate
	sNoise float64
}

// sdeSlope is the general SDE at one time: the drift, which has the form of the
// ODE's slope, and the standard deviation of the noise over a unit of time.
type sdeSlope struct {
	Slope
	noise float64
}

// integrate takes the steps. step takes r.X over step i, for the SDE and the denoised
// image at its start; the last step, to 0, is Euler's on the ODE.
func (s sde) integrate(r *Run, step func(s sde, r *Run, denoised []float64, i int, at sdeSlope) error) error {
	denoised, last := r.Buffer(0), r.Steps()-1
	for i, t := range r.Times[:last] {
		at, err := s.at(r, i, t)
		if err != nil {
			return err
		}
		if err := r.Denoise(denoised, r.X, i, at.Slope); err != nil {
			return err
		}
		if err := step(s, r, denoised, i, at); err != nil {
			return err
		}
		if err := r.StepDone(i, at.Sigma, denoised); err != nil {
			return err
		}
	}
	at := r.Slope(r.Times[last])
	if err := r.Denoise(denoised, r.X, last, at); err != nil {
		return err
	}
	at.Step(r.X, r.X, denoised, -r.Times[last])
	return r.StepDone(last, at.Sigma, denoised)
}

// at returns the SDE at a time of step i.
func (s sde) at(r *Run, i int, t float64) (sdeSlope, error) {
	at := sdeSlope{Slope: r.Slope(t)}
	beta, err := s.beta.at(at.Sigma)
	if err != nil {
		return at, fmt.Errorf("sample: step %d of %d: %w", i, r.Steps(), err)
	}
	at.noise = s.sNoise * at.Scale * at.Sigma * math.Sqrt(2*beta*at.Pull)
	at.Pull *= 1 + beta
	return at, nil
}
