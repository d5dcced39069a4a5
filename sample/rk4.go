package sample

// rk4Solver is the classic Runge-Kutta method on the probability-flow ODE, of
// order 4 down to sigma_min. The slope at 0 does not exist, so the last step is
// Euler's, as in heun: its error, of the size of sigma_min^2, does not shrink
// with the number of steps. Four evaluations a step, 4N-3 in all.
func rk4Solver() solver {
	return solver{
		name:      "rk4",
		about:     "the classic Runge-Kutta method on the ODE; order 4 down to sigma_min, Euler in the last step, to 0",
		order:     4,
		uses:      useProcess,
		nfe:       func(_ *Options, sigmas []float64) int { return 4*(len(sigmas)-1) - 3 },
		integrate: integrateRK4,
	}
}

func integrateRK4(r *run) error {
	denoised := r.buffer(0)
	for i, tNext := range r.times[1:] {
		t := r.times[i]
		at := r.process.slope(t)
		if err := r.denoise(denoised, r.x, i, at); err != nil {
			return err
		}
		if tNext == 0 {
			eulerStep(r.x, r.x, denoised, at, -t)
		} else if err := r.rk4Step(denoised, i, at); err != nil {
			return err
		}
		if err := r.stepDone(i, at.sigma, denoised); err != nil {
			return err
		}
	}
	return nil
}

// rk4Step takes r.x over step i, for the denoised image at its start. Each stage
// goes from the step's start along the slope of the stage before it.
func (r *run) rk4Step(denoised []float64, i int, at slope) error {
	stage, inner, slope, next := r.buffer(1), r.buffer(2), r.buffer(3), r.buffer(4)
	t := r.times[i]
	h := r.times[i+1] - t
	writeSlope(slope, r.x, denoised, at)
	shift(next, r.x, slope, h/6)
	for _, s := range [...]struct{ place, weight float64 }{{0.5, 1. / 3}, {0.5, 1. / 3}, {1, 1. / 6}} {
		shift(stage, r.x, slope, s.place*h)
		at = r.process.slope(r.between(i, t, s.place))
		if err := r.denoise(inner, stage, i, at); err != nil {
			return err
		}
		writeSlope(slope, stage, inner, at)
		shift(next, next, slope, s.weight*h)
	}
	copy(r.x, next)
	return nil
}

// writeSlope writes dx/dt to dst.
func writeSlope(dst, x, denoised []float64, at slope) {
	x, denoised = x[:len(dst)], denoised[:len(dst)]
	stay, pull := at.linear+at.pull, at.pull*at.scale
	for j := range dst {
		dst[j] = stay*x[j] - pull*denoised[j]
	}
}
