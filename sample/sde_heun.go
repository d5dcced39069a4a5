package sample

import "math"

// sdeHeunSolver is the stochastic Heun method on the general SDE: an
// Euler-Maruyama step, then the step along the mean of the drifts at both ends
// with the same draw. The drift at the far end has its own factor 1 + beta. The
// noise does not depend on the state, so the mean of its variances at both ends
// keeps the method at weak order 2. With beta = 0 it is heun. Two evaluations a
// step but one in the last, 2N-1 in all, and one draw a step.
func sdeHeunSolver() solver {
	return solver{
		name:      "sde-heun",
		about:     "stochastic Heun on the general SDE (EDM Eq. 6) with any schedule and scaling; beta 0 is heun",
		order:     2,
		uses:      useProcess | useBeta | useNoise,
		defaults:  fullBeta,
		nfe:       twoPerStepButLast,
		draws:     drawPerStepButLast,
		integrate: integrateSDEHeun,
	}
}

func integrateSDEHeun(r *run) error { return r.sdeSteps((*run).sdeHeunStep) }

func (r *run) sdeHeunStep(denoised []float64, i int, at sdeSlope) error {
	xNext, denoisedNext, normals := r.buffer(1), r.buffer(2), r.buffer(3)
	h := r.times[i+1] - r.times[i]
	next, err := r.sde(i, r.times[i+1])
	if err != nil {
		return err
	}
	noise := math.Sqrt((at.noise*at.noise + next.noise*next.noise) / 2)
	eulerStep(xNext, r.x, denoised, at.slope, h)
	if noise > 0 {
		if err := r.normals(normals, i, uint64(i)); err != nil {
			return err
		}
		addScaled(xNext, normals, at.noise*math.Sqrt(-h))
	}
	if err := r.denoise(denoisedNext, xNext, i, next.slope); err != nil {
		return err
	}
	addSlope(r.x, r.x, denoised, at.slope, h/2, xNext, denoisedNext, next.slope, h/2)
	if noise > 0 {
		addScaled(r.x, normals, noise*math.Sqrt(-h))
	}
	return nil
}

// addScaled adds by y to x.
func addScaled(x, y []float64, by float64) {
	y = y[:len(x)]
	for j := range x {
		x[j] += by * y[j]
	}
}
