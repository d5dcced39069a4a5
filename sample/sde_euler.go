package sample

import "math"

// SDEEuler is the Euler-Maruyama method on the general SDE (EDM Eq. 6): an Euler step
// along the drift and noise at the rate of the step's start. Weak order 1; without
// Langevin part it is Euler. One evaluation a step, N in all, and one draw.
type SDEEuler struct {
	Beta   Rate    // of the Langevin part
	SNoise float64 // standard deviation of the fresh noise
}

// DefaultSDEEuler returns the reverse SDE.
func DefaultSDEEuler() SDEEuler { return SDEEuler{Beta: ConstantRate(1), SNoise: 1} }

// Evaluations returns N.
func (s SDEEuler) Evaluations(steps int) int { return onePerStep(steps) }

// Draws returns one a step but the last, with a Langevin part.
func (s SDEEuler) Draws(steps int) int { return drawPerStepButLast(steps, s.Beta.amount()) }

// Validate returns the faults of the constants.
func (s SDEEuler) Validate() error {
	var f faults
	f.rate(s.Beta, s.SNoise)
	return f.err(s)
}

// Integrate implements Solver.
func (s SDEEuler) Integrate(r *Run) error {
	return sde{s.Beta, s.SNoise}.integrate(r, sdeEulerStep)
}

func sdeEulerStep(_ sde, r *Run, denoised []float64, i int, at sdeSlope) error {
	h := r.Times[i+1] - r.Times[i]
	at.Step(r.X, r.X, denoised, h)
	return r.addDraw(r.Buffer(1), at.noise*math.Sqrt(-h), i, uint64(i))
}
