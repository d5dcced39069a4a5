package sample

import "math"

// dpmpp2mSolver is DPM-Solver++(2M) (Lu et al. 2022b, Alg. 2): the exponential
// method in lambda = -ln sigma with the denoised image extrapolated from the
// step before to the middle of this one. The first step and the last, to 0, are
// Euler's. One evaluation a step, N in all.
func dpmpp2mSolver() solver {
	return solver{
		name:      "dpmpp-2m",
		about:     "DPM-Solver++(2M): multistep of order 2 in ln sigma (Lu et al. 2022b, Alg. 2)",
		order:     2,
		nfe:       onePerStep,
		integrate: integrateDPMpp2m,
	}
}

func integrateDPMpp2m(r *run) error {
	target := r.buffer(2)
	hLast := 0.0
	for i, next := range r.sigmas[1:] {
		sigma := r.sigmas[i]
		denoised, before := r.buffer(i%2), r.buffer((i+1)%2)
		if err := r.denoiseAt(denoised, r.x, i, sigma); err != nil {
			return err
		}
		h := math.Log(sigma / next) // of lambda; infinite in the last step
		if i == 0 || next == 0 {
			towards(r.x, r.x, denoised, -math.Expm1(-h))
		} else {
			extrapolate(target, denoised, before, h/(2*hLast))
			towards(r.x, r.x, target, -math.Expm1(-h))
		}
		hLast = h
		if err := r.stepDone(i, sigma, denoised); err != nil {
			return err
		}
	}
	return nil
}
