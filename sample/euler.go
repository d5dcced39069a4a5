package sample

// eulerSolver is Euler's method on the probability-flow ODE: order 1, one
// evaluation a step, N in all. It is EDM Alg. 1 without its correction, and
// with churn EDM Alg. 2 without it.
func eulerSolver() solver {
	return solver{
		name:      "euler",
		about:     "Euler's method on the ODE (EDM Eq. 4); DDIM for VP data",
		order:     1,
		uses:      useProcess | useChurn | useNoise,
		nfe:       onePerStep,
		draws:     churnDraws,
		integrate: integrateEuler,
	}
}

// onePerStep is the cost of solvers with one evaluation a step.
func onePerStep(_ *Options, sigmas []float64) int { return len(sigmas) - 1 }

func integrateEuler(r *run) error {
	denoised := r.buffer(0)
	for i, tNext := range r.times[1:] {
		tHat, err := r.churn(i, r.buffer(1))
		if err != nil {
			return err
		}
		at := r.process.slope(tHat)
		if err := r.denoise(denoised, r.x, i, at); err != nil {
			return err
		}
		eulerStep(r.x, r.x, denoised, at, tNext-tHat)
		if err := r.stepDone(i, at.sigma, denoised); err != nil {
			return err
		}
	}
	return nil
}

// eulerStep writes x + h dx/dt to dst (see slope). dst and x may be the same
// slice.
func eulerStep(dst, x, denoised []float64, at slope, h float64) {
	x, denoised = x[:len(dst)], denoised[:len(dst)]
	pull := h * at.pull
	if at.plain() {
		for j := range dst {
			dst[j] = x[j] + pull*(x[j]-denoised[j])
		}
		return
	}
	stay, towards := 1+h*at.linear+pull, pull*at.scale
	for j := range dst {
		dst[j] = stay*x[j] - towards*denoised[j]
	}
}
