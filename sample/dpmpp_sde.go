package sample

import "math"

// DPMPPSDE is DPM-Solver++ for the reverse SDE, single-step: an ancestral step to a
// fraction R of the step in lambda = -ln sigma, and one over the whole step with the
// denoised images of both places combined as in DPM-Solver++(2S). The last step, to 0,
// is Euler's. Two evaluations a step, 2N-1 in all. Of the two draws a step, 2i is the
// noise down to the inner level and 2i+1 that of the rest of the step.
type DPMPPSDE struct {
	onLevels
	Eta    float64 // fresh noise as a fraction of the full amount; 0 is DPM-Solver++(2S)
	SNoise float64 // standard deviation of the fresh noise
	R      float64 // place of the inner evaluation, as a fraction of the step in ln sigma
}

// DefaultDPMPPSDE returns the full amount of fresh noise and the inner evaluation in
// the middle.
func DefaultDPMPPSDE() DPMPPSDE { return DPMPPSDE{Eta: 1, SNoise: 1, R: 0.5} }

// Evaluations returns 2N-1.
func (s DPMPPSDE) Evaluations(steps int) int { return twoPerStepButLast(steps) }

// Draws returns two a step but the last, for Eta above 0.
func (s DPMPPSDE) Draws(steps int) int { return 2 * drawPerStepButLast(steps, s.Eta) }

// Validate returns the faults of the constants.
func (s DPMPPSDE) Validate() error {
	var f faults
	f.eta(s.Eta, s.SNoise)
	f.fraction("R", s.R)
	return f.err(s)
}

// Integrate implements Solver.
func (s DPMPPSDE) Integrate(r *Run) error {
	denoised := r.Buffer(0)
	for i, next := range r.Sigmas[1:] {
		sigma := r.Sigmas[i]
		if err := r.DenoiseAt(denoised, r.X, i, sigma); err != nil {
			return err
		}
		if next == 0 {
			towards(r.X, r.X, denoised, 1)
		} else if err := s.step(r, denoised, i, sigma, next); err != nil {
			return err
		}
		if err := r.StepDone(i, sigma, denoised); err != nil {
			return err
		}
	}
	return nil
}

// step takes r.X from noise level sigma to next, for the denoised image
// at sigma.
func (s DPMPPSDE) step(r *Run, denoised []float64, i int, sigma, next float64) error {
	inner, denoisedInner, first := r.Buffer(1), r.Buffer(2), r.Buffer(3)
	draw := 2 * uint64(i)
	middle := sigma * math.Pow(next/sigma, s.R)
	down, up := ancestral(sigma, middle, s.Eta)
	towards(inner, r.X, denoised, 1-down/sigma)
	if up > 0 {
		if err := r.Draw(first, i, draw); err != nil {
			return err
		}
		shift(inner, inner, first, s.SNoise*up)
	}
	if err := r.DenoiseAt(denoisedInner, inner, i, middle); err != nil {
		return err
	}
	down, up = ancestral(sigma, next, s.Eta)
	towards(denoisedInner, denoised, denoisedInner, 1/(2*s.R))
	towards(r.X, r.X, denoisedInner, 1-down/sigma)
	if up == 0 {
		return nil
	}
	early, late := brownian(sigma, middle, next)
	shift(r.X, r.X, first, s.SNoise*up*early)
	return r.addDraw(inner, s.SNoise*up*late, i, draw+1)
}

// brownian returns the weights that make the unit normal of a step from sigma to
// next of the unit normals of its parts, above and below middle: both see one
// Brownian motion in sigma. With independent noise for the inner evaluation and
// the step, the bias of the variance would fall as 1/N instead of 1/N^2.
func brownian(sigma, middle, next float64) (early, late float64) {
	passed := min((sigma-middle)/(sigma-next), 1)
	return math.Sqrt(passed), math.Sqrt(1 - passed)
}
