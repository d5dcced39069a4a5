package sample

// heunSolver is EDM Alg. 1, and with churn EDM Alg. 2: Heun's method on the
// probability-flow ODE, an Euler step followed by the trapezoidal correction
// everywhere but in the last step, to 0. Order 2; two evaluations a step, 2N-1
// in all.
func heunSolver() solver {
	return solver{
		name:      "heun",
		nfe:       func(numSteps int) int { return 2*numSteps - 1 },
		integrate: integrateHeun,
	}
}

func integrateHeun(r *run) error {
	denoised, xNext, denoisedNext := r.buffer(0), r.buffer(1), r.buffer(2)
	for i, tNext := range r.sigmas[1:] {
		tHat, err := r.churn(i, xNext)
		if err != nil {
			return err
		}
		if err := r.denoise(denoised, r.x, i, tHat); err != nil {
			return err
		}
		if tNext == 0 {
			eulerStep(r.x, r.x, denoised, tHat, tNext)
		} else {
			eulerStep(xNext, r.x, denoised, tHat, tNext)
			if err := r.denoise(denoisedNext, xNext, i, tNext); err != nil {
				return err
			}
			heunCorrect(r.x, xNext, denoised, denoisedNext, tHat, tNext)
		}
		if err := r.stepDone(i, tHat, tNext, denoised); err != nil {
			return err
		}
	}
	return nil
}

// heunCorrect adds (tNext - tHat) (dCur + dPrime) / 2 to x, with dCur = (x -
// denoised) / tHat and dPrime = (xNext - denoisedNext) / tNext.
func heunCorrect(x, xNext, denoised, denoisedNext []float64, tHat, tNext float64) {
	a := (tNext - tHat) / tHat / 2
	b := (tNext - tHat) / tNext / 2
	xNext, denoised, denoisedNext = xNext[:len(x)], denoised[:len(x)], denoisedNext[:len(x)]
	for j := range x {
		x[j] += a*(x[j]-denoised[j]) + b*(xNext[j]-denoisedNext[j])
	}
}
