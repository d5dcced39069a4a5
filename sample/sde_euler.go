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

func integrateSDEEuler(r *run) error { return r.sdeSteps((*run).sdeEulerStep) }

func (r *run) sdeEulerStep(denoised []float64, i int, at sdeSlope) error {
	h := r.times[i+1] - r.times[i]
	eulerStep(r.x, r.x, denoised, at.slope, h)
	return r.addDraw(r.buffer(1), at.noise*math.Sqrt(-h), i, uint64(i))
}
