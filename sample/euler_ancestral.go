package sample

import "math"

// EulerAncestral is ancestral sampling: Euler's method on the ODE to a noise level
// below the step's end, and fresh noise up to it. With Eta 1 it is the ancestral
// sampler of the score-SDE paper (Song et al. 2021, Eq. 47) and with Eta 0 Euler's
// method; in between it is DDIM's family (Song et al. 2020, Eq. 16) for data without
// scaling. One evaluation a step, N in all.
type EulerAncestral struct {
	onLevels
	Eta    float64 // fresh noise as a fraction of the full amount
	SNoise float64 // standard deviation of the fresh noise
}

// DefaultEulerAncestral returns the full amount of fresh noise.
func DefaultEulerAncestral() EulerAncestral { return EulerAncestral{Eta: 1, SNoise: 1} }

// Evaluations returns N.
func (s EulerAncestral) Evaluations(steps int) int { return onePerStep(steps) }

// Draws returns one a step but the last, for Eta above 0.
func (s EulerAncestral) Draws(steps int) int { return drawPerStepButLast(steps, s.Eta) }

// Validate returns the faults of the constants.
func (s EulerAncestral) Validate() error {
	var f faults
	f.eta(s.Eta, s.SNoise)
	return f.err(s)
}

// ancestral splits a step between two noise levels: the deterministic part goes
// from sigma to down, and fresh noise of standard deviation up then leads to
// next, for down^2 + up^2 = next^2. With eta 1 it is the posterior of a noise
// level given a higher one and the denoised image.
func ancestral(sigma, next, eta float64) (down, up float64) {
	ratio := next / sigma
	full := (1 - ratio) * (1 + ratio) // 1 - ratio^2 without its cancellation
	return next * math.Sqrt(1-eta*eta*full), next * eta * math.Sqrt(full)
}

// Integrate implements Solver.
func (s EulerAncestral) Integrate(r *Run) error { return r.ancestralSteps(s.Eta, s.SNoise) }

// ancestralSteps takes the ancestral steps from the first noise level to 0.
func (r *Run) ancestralSteps(eta, sNoise float64) error {
	denoised := r.Buffer(0)
	for i, next := range r.Sigmas[1:] {
		sigma := r.Sigmas[i]
		down, up := ancestral(sigma, next, eta)
		if err := r.DenoiseAt(denoised, r.X, i, sigma); err != nil {
			return err
		}
		towards(r.X, r.X, denoised, 1-down/sigma)
		if err := r.addDraw(r.Buffer(1), sNoise*up, i, uint64(i)); err != nil {
			return err
		}
		if err := r.StepDone(i, sigma, denoised); err != nil {
			return err
		}
	}
	return nil
}
