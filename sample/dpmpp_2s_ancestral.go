package sample

import "math"

// DPMPP2SAncestral is DPM-Solver++(2S) (Lu et al. 2022b, Alg. 1, with the inner
// evaluation in the middle of the step in ln sigma) to a noise level below the step's
// end, and fresh noise up to it. The last step, to 0, is Euler's. Two evaluations a
// step, 2N-1 in all.
type DPMPP2SAncestral struct {
	onLevels
	Eta    float64 // fresh noise as a fraction of the full amount; 0 is DPM-Solver++(2S)
	SNoise float64 // standard deviation of the fresh noise
}

// DefaultDPMPP2SAncestral returns the full amount of fresh noise.
func DefaultDPMPP2SAncestral() DPMPP2SAncestral { return DPMPP2SAncestral{Eta: 1, SNoise: 1} }

// Evaluations returns 2N-1.
func (s DPMPP2SAncestral) Evaluations(steps int) int { return twoPerStepButLast(steps) }

// Draws returns one a step but the last, for Eta above 0.
func (s DPMPP2SAncestral) Draws(steps int) int { return drawPerStepButLast(steps, s.Eta) }

// Validate returns the faults of the constants.
func (s DPMPP2SAncestral) Validate() error {
	var f faults
	f.eta(s.Eta, s.SNoise)
	return f.err(s)
}

// Integrate implements Solver.
func (s DPMPP2SAncestral) Integrate(r *Run) error {
	denoised, inner, denoisedInner := r.Buffer(0), r.Buffer(1), r.Buffer(2)
	for i, next := range r.Sigmas[1:] {
		sigma := r.Sigmas[i]
		down, up := ancestral(sigma, next, s.Eta)
		if err := r.DenoiseAt(denoised, r.X, i, sigma); err != nil {
			return err
		}
		target := denoised
		if next > 0 {
			middle := math.Sqrt(sigma * down)
			towards(inner, r.X, denoised, 1-middle/sigma)
			if err := r.DenoiseAt(denoisedInner, inner, i, middle); err != nil {
				return err
			}
			target = denoisedInner
		}
		towards(r.X, r.X, target, 1-down/sigma)
		if err := r.addDraw(inner, s.SNoise*up, i, uint64(i)); err != nil {
			return err
		}
		if err := r.StepDone(i, sigma, denoised); err != nil {
			return err
		}
	}
	return nil
}
