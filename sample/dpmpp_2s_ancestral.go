package sample

import "math"

// dpmpp2sAncestralSolver is DPM-Solver++(2S) (Lu et al. 2022b, Alg. 1, with the
// inner evaluation in the middle of the step in ln sigma) to a noise level below
// the step's end, and fresh noise up to it. The last step, to 0, is Euler's. Two
// evaluations a step, 2N-1 in all.
func dpmpp2sAncestralSolver() solver {
	return solver{
		name:      "dpmpp-2s-ancestral",
		about:     "DPM-Solver++(2S) to below the step's end, then noise up to it; eta 0 is DPM-Solver++(2S)",
		order:     2,
		uses:      useEta | useNoise,
		defaults:  fullEta,
		nfe:       twoPerStepButLast,
		draws:     drawPerStepButLast,
		integrate: integrateDPMpp2sAncestral,
	}
}

func integrateDPMpp2sAncestral(r *run) error {
	denoised, inner, denoisedInner := r.buffer(0), r.buffer(1), r.buffer(2)
	for i, next := range r.sigmas[1:] {
		sigma := r.sigmas[i]
		down, up := ancestral(sigma, next, r.opts.Eta)
		if err := r.denoiseAt(denoised, r.x, i, sigma); err != nil {
			return err
		}
		target := denoised
		if next > 0 {
			middle := math.Sqrt(sigma * down)
			towards(inner, r.x, denoised, 1-middle/sigma)
			if err := r.denoiseAt(denoisedInner, inner, i, middle); err != nil {
				return err
			}
			target = denoisedInner
		}
		towards(r.x, r.x, target, 1-down/sigma)
		if err := r.addDraw(inner, r.opts.SNoise*up, i, uint64(i)); err != nil {
			return err
		}
		if err := r.stepDone(i, sigma, denoised); err != nil {
			return err
		}
	}
	return nil
}
