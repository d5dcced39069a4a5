package sample

import "math"

// dpm2Solver is DPM-Solver-2 as Karras et al. use it (EDM App. D.3): the
// midpoint method on the ODE in sigma with its inner evaluation at the
// geometric mean of the step's ends, with churn. The last step, to 0, is
// Euler's. Two evaluations a step, 2N-1 in all.
func dpm2Solver() solver {
	return solver{
		name:      "dpm2",
		about:     "DPM-Solver-2: a step along the slope at the middle in ln sigma (Lu et al. 2022), with or without churn",
		order:     2,
		uses:      useChurn | useNoise,
		nfe:       twoPerStepButLast,
		draws:     churnDraws,
		integrate: integrateDPM2,
	}
}

func integrateDPM2(r *run) error {
	denoised := r.buffer(0)
	for i, next := range r.sigmas[1:] {
		sigma, err := r.churn(i, r.buffer(1))
		if err != nil {
			return err
		}
		if err := r.denoiseAt(denoised, r.x, i, sigma); err != nil {
			return err
		}
		if err := r.dpm2Step(denoised, i, sigma, next); err != nil {
			return err
		}
		if err := r.stepDone(i, sigma, denoised); err != nil {
			return err
		}
	}
	return nil
}

// dpm2Step takes r.x from noise level sigma to next, for the denoised image at
// sigma: along the slope at the geometric mean of both, which is reached by
// Euler's method. A step to 0 is Euler's.
func (r *run) dpm2Step(denoised []float64, i int, sigma, next float64) error {
	if next == 0 {
		towards(r.x, r.x, denoised, 1)
		return nil
	}
	inner, denoisedInner := r.buffer(1), r.buffer(2)
	middle := math.Sqrt(sigma * next)
	towards(inner, r.x, denoised, 1-middle/sigma)
	if err := r.denoiseAt(denoisedInner, inner, i, middle); err != nil {
		return err
	}
	h := (next - sigma) / middle
	for j, d := range denoisedInner {
		r.x[j] += h * (inner[j] - d)
	}
	return nil
}
