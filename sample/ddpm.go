package sample

// DDPM is DDPM's ancestral sampler (Ho et al. 2020, Alg. 2) on any noise levels: a draw
// from the posterior q(x_{t-1} | x_t, x_0 = D), with DDPM's smaller choice of variance,
// the posterior's own (beta-tilde, "fixed small"). DDPM's state has the scale s =
// 1/sqrt(1 + sigma^2); for x/s the posterior between noise levels sigma and next is
//
//	N(D + (next/sigma)^2 (x - D), next^2 (1 - (next/sigma)^2)),
//
// which is EulerAncestral and DDIM with Eta 1. One evaluation a step, N in all, and one
// draw a step but the last.
type DDPM struct {
	onLevels
	SNoise float64 // standard deviation of the fresh noise
}

// DefaultDDPM returns noise of the posterior's variance.
func DefaultDDPM() DDPM { return DDPM{SNoise: 1} }

// Evaluations returns N.
func (s DDPM) Evaluations(steps int) int { return onePerStep(steps) }

// Draws returns one a step but the last.
func (s DDPM) Draws(steps int) int { return drawPerStepButLast(steps, 1) }

// Validate returns the faults of the constants.
func (s DDPM) Validate() error {
	var f faults
	f.positive("SNoise", s.SNoise)
	return f.err(s)
}

// Integrate implements Solver.
func (s DDPM) Integrate(r *Run) error { return r.ancestralSteps(1, s.SNoise) }
