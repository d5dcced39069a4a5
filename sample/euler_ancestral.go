package sample

import "math"

// eulerAncestralSolver is ancestral sampling: Euler's method on the ODE to a
// noise level below the step's end, and fresh noise up to it. With eta 1 it is
// the ancestral sampler of the score-SDE paper (Song et al. 2021, Eq. 47) and
// with eta 0 Euler's method; in between it is DDIM's family (Song et al. 2020,
// Eq. 16) for data without scaling. One evaluation a step, N in all.
func eulerAncestralSolver() solver {
	return solver{
		name:      "euler-ancestral",
		about:     "ancestral sampling: Euler to below the step's end, then noise up to it (score SDE Eq. 47); eta 0 is euler",
		order:     1,
		uses:      useEta | useNoise,
		defaults:  fullEta,
		nfe:       onePerStep,
		draws:     drawPerStepButLast,
		integrate: integrateEulerAncestral,
	}
}

// fullEta sets the published amount of fresh noise.
func fullEta(o *Options) { o.Eta = 1 }

// drawPerStepButLast is the number of draws of solvers that end a step with
// fresh noise: the last step, to 0, has none.
func drawPerStepButLast(r *run) int { return r.numSteps() - 1 }

// ancestral splits a step between two noise levels: the deterministic part goes
// from sigma to down, and fresh noise of standard deviation up then leads to
// next, for down^2 + up^2 = next^2. With eta 1 it is the posterior of a noise
// level given a higher one and the denoised image.
func ancestral(sigma, next, eta float64) (down, up float64) {
	ratio := next / sigma
	full := (1 - ratio) * (1 + ratio) // 1 - ratio^2 without its cancellation
	return next * math.Sqrt(1-eta*eta*full), next * eta * math.Sqrt(full)
}

func integrateEulerAncestral(r *run) error { return r.ancestralSteps(r.opts.Eta) }

// ancestralSteps takes the ancestral steps from the first noise level to 0.
func (r *run) ancestralSteps(eta float64) error {
	denoised := r.buffer(0)
	for i, next := range r.sigmas[1:] {
		sigma := r.sigmas[i]
		down, up := ancestral(sigma, next, eta)
		if err := r.denoiseAt(denoised, r.x, i, sigma); err != nil {
			return err
		}
		towards(r.x, r.x, denoised, 1-down/sigma)
		if err := r.addDraw(r.buffer(1), r.opts.SNoise*up, i, uint64(i)); err != nil {
			return err
		}
		if err := r.stepDone(i, sigma, denoised); err != nil {
			return err
		}
	}
	return nil
}
