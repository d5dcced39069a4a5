package sample

import "math"

// SDEHeun is the stochastic Heun method on the general SDE (EDM Eq. 6): an
// Euler-Maruyama step, then the step along the mean of the drifts at both ends with the
// same draw. The drift at the far end has its own factor 1 + beta. The noise does not
// depend on the state, so the mean of its variances at both ends keeps the method at
// weak order 2. Without Langevin part it is Heun. Two evaluations a step but one in the
// last, 2N-1 in all, and one draw a step.
type SDEHeun struct {
	Beta   Rate    // of the Langevin part
	SNoise float64 // standard deviation of the fresh noise
}

// DefaultSDEHeun returns the reverse SDE.
func DefaultSDEHeun() SDEHeun { return SDEHeun{Beta: ConstantRate(1), SNoise: 1} }

// Evaluations returns 2N-1.
func (s SDEHeun) Evaluations(steps int) int { return twoPerStepButLast(steps) }

// Draws returns one a step but the last, with a Langevin part.
func (s SDEHeun) Draws(steps int) int { return drawPerStepButLast(steps, s.Beta.amount()) }

// Validate returns the faults of the constants.
func (s SDEHeun) Validate() error {
	var f faults
	f.rate(s.Beta, s.SNoise)
	return f.err(s)
}

// Integrate implements Solver.
func (s SDEHeun) Integrate(r *Run) error {
	return sde{s.Beta, s.SNoise}.integrate(r, sdeHeunStep)
}

func sdeHeunStep(s sde, r *Run, denoised []float64, i int, at sdeSlope) error {
	xNext, denoisedNext, normals := r.Buffer(1), r.Buffer(2), r.Buffer(3)
	h := r.Times[i+1] - r.Times[i]
	next, err := s.at(r, i, r.Times[i+1])
	if err != nil {
		return err
	}
	noise := math.Sqrt((at.noise*at.noise + next.noise*next.noise) / 2)
	at.Step(xNext, r.X, denoised, h)
	if noise > 0 {
		if err := r.Draw(normals, i, uint64(i)); err != nil {
			return err
		}
		addScaled(xNext, normals, at.noise*math.Sqrt(-h))
	}
	if err := r.Denoise(denoisedNext, xNext, i, next.Slope); err != nil {
		return err
	}
	addSlope(r.X, r.X, denoised, at.Slope, h/2, xNext, denoisedNext, next.Slope, h/2)
	if noise > 0 {
		addScaled(r.X, normals, noise*math.Sqrt(-h))
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
