package sample

// DDIM is DDIM (Song et al. 2021, Eq. 12 and 16) on any noise levels. For the unscaled
// state x/s its step is
//
//	x = D + sqrt(next^2 - up^2) (x - D)/sigma + up n, up = Eta next sqrt(1 - (next/sigma)^2),
//
// which is that of EulerAncestral. Eta 0 is Euler's method on the ODE in sigma, and Eta
// 1 is DDPM. One evaluation a step, N in all, and with Eta above 0 one draw a step but
// the last.
type DDIM struct {
	onLevels
	Eta    float64 // fresh noise as a fraction of the full amount
	SNoise float64 // standard deviation of the fresh noise; of no account for Eta 0
}

// Evaluations returns N.
func (s DDIM) Evaluations(steps int) int { return onePerStep(steps) }

// Draws returns one a step but the last, for Eta above 0.
func (s DDIM) Draws(steps int) int { return drawPerStepButLast(steps, s.Eta) }

// Validate returns the faults of the constants.
func (s DDIM) Validate() error {
	var f faults
	f.eta(s.Eta, s.SNoise)
	return f.err(s)
}

// Integrate implements Solver.
func (s DDIM) Integrate(r *Run) error { return r.ancestralSteps(s.Eta, s.SNoise) }
