package sample

import "math"

// sdeEulerSolver is the Euler-Maruyama method on the general SDE: an Euler step
// along the drift and noise at the rate of the step's start. Weak order 1; with
// beta = 0 it is euler. One evaluation a step, N in all, and one draw.
func sdeEulerSolver() solver {
	return solver{
		name:      "sde-euler",
		about:     "Euler-Maruyama on the general SDE (EDM Eq. 6) with any schedule and scaling; beta 0 is euler",
		order:     1,
		uses:      useProcess | useBeta | useNoise,
		defaults:  fullBeta,
		nfe:       onePerStep,
		draws:     drawPerStepButLast,
		integrate: integrateSDEEuler,
	}
}

func integrateSDEEuler(r *run) error {
	denoised := r.buffer(0)
	for i, tNext := range r.times[1:] {
		at, err := r.sdeStart(i)
		if err != nil {
			return err
		}
		if err := r.denoise(denoised, r.x, i, at.slope); err != nil {
			return err
		}
		h := tNext - r.times[i]
		eulerStep(r.x, r.x, denoised, at.slope, h)
		if err := r.addDraw(r.buffer(1), at.noise*math.Sqrt(-h), i, uint64(i)); err != nil {
			return err
		}
		if err := r.stepDone(i, at.sigma, denoised); err != nil {
			return err
		}
	}
	return nil
}
