package sample

import "math"

// dpmppSDESolver is DPM-Solver++ for the reverse SDE, single-step: an ancestral
// step to a fraction R of the step in lambda = -ln sigma, and one over the whole
// step with the denoised images of both places combined as in DPM-Solver++(2S).
// The last step, to 0, is Euler's. Two evaluations a step, 2N-1 in all. Of the
// two draws a step, 2i is the noise down to the inner level and 2i+1 that of the
// rest of the step.
func dpmppSDESolver() solver {
	return solver{
		name:      "dpmpp-sde",
		about:     "DPM-Solver++ for the SDE with an inner evaluation at R of the step; eta 0 is DPM-Solver++(2S)",
		order:     2,
		uses:      useEta | useNoise | useR,
		defaults:  func(o *Options) { o.Eta, o.R = 1, 0.5 },
		nfe:       twoPerStepButLast,
		draws:     func(r *run) int { return 2 * (r.numSteps() - 1) },
		integrate: integrateDPMppSDE,
	}
}

func integrateDPMppSDE(r *run) error {
	denoised := r.buffer(0)
	for i, next := range r.sigmas[1:] {
		sigma := r.sigmas[i]
		if err := r.denoiseAt(denoised, r.x, i, sigma); err != nil {
			return err
		}
		if next == 0 {
			towards(r.x, r.x, denoised, 1)
		} else if err := r.dpmppSDEStep(denoised, i, sigma, next); err != nil {
			return err
		}
		if err := r.stepDone(i, sigma, denoised); err != nil {
			return err
		}
	}
	return nil
}

// dpmppSDEStep takes r.x from noise level sigma to next, for the denoised image
// at sigma.
func (r *run) dpmppSDEStep(denoised []float64, i int, sigma, next float64) error {
	inner, denoisedInner, first := r.buffer(1), r.buffer(2), r.buffer(3)
	o, draw := &r.opts, 2*uint64(i)
	middle := sigma * math.Pow(next/sigma, o.R)
	down, up := ancestral(sigma, middle, o.Eta)
	towards(inner, r.x, denoised, 1-down/sigma)
	if up > 0 {
		if err := r.normals(first, i, draw); err != nil {
			return err
		}
		shift(inner, inner, first, o.SNoise*up)
	}
	if err := r.denoiseAt(denoisedInner, inner, i, middle); err != nil {
		return err
	}
	down, up = ancestral(sigma, next, o.Eta)
	towards(denoisedInner, denoised, denoisedInner, 1/(2*o.R))
	towards(r.x, r.x, denoisedInner, 1-down/sigma)
	if up == 0 {
		return nil
	}
	early, late := brownian(sigma, middle, next)
	shift(r.x, r.x, first, o.SNoise*up*early)
	return r.addDraw(inner, o.SNoise*up*late, i, draw+1)
}

// brownian returns the weights that make the unit normal of a step from sigma to
// next of the unit normals of its parts, above and below middle: both see one
// Brownian motion in sigma. With independent noise for the inner evaluation and
// the step, the bias of the variance would fall as 1/N instead of 1/N^2.
func brownian(sigma, middle, next float64) (early, late float64) {
	passed := min((sigma-middle)/(sigma-next), 1)
	return math.Sqrt(passed), math.Sqrt(1 - passed)
}
