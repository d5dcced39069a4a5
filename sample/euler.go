package sample

// eulerSolver is Euler's method on the probability-flow ODE: order 1, one
// evaluation a step, N in all. It is EDM Alg. 1 without its correction, and
// with churn EDM Alg. 2 without it.
func eulerSolver() solver {
	return solver{
		name:      "euler",
		nfe:       func(numSteps int) int { return numSteps },
		integrate: integrateEuler,
	}
}

func integrateEuler(r *run) error {
	denoised := r.buffer(0)
	for i, tNext := range r.sigmas[1:] {
		tHat, err := r.churn(i, r.buffer(1))
		if err != nil {
			return err
		}
		if err := r.denoise(denoised, r.x, i, tHat); err != nil {
			return err
		}
		eulerStep(r.x, r.x, denoised, tHat, tNext)
		if err := r.stepDone(i, tHat, tNext, denoised); err != nil {
			return err
		}
	}
	return nil
}

// eulerStep writes x + (tNext - tHat) dCur to dst, with dCur = (x - denoised) /
// tHat. dst and x may be the same slice.
func eulerStep(dst, x, denoised []float64, tHat, tNext float64) {
	a := (tNext - tHat) / tHat
	x, denoised = x[:len(dst)], denoised[:len(dst)]
	for j := range dst {
		dst[j] = x[j] + a*(x[j]-denoised[j])
	}
}
