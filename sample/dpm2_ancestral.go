package sample

// DPM2Ancestral is DPM2 to a noise level below the step's end, and fresh noise up to
// it. With Eta 0 it is DPM2. Two evaluations a step, 2N-1 in all.
type DPM2Ancestral struct {
	onLevels
	Eta    float64 // fresh noise as a fraction of the full amount
	SNoise float64 // standard deviation of the fresh noise
}

// DefaultDPM2Ancestral returns the full amount of fresh noise.
func DefaultDPM2Ancestral() DPM2Ancestral { return DPM2Ancestral{Eta: 1, SNoise: 1} }

// Evaluations returns 2N-1.
func (s DPM2Ancestral) Evaluations(steps int) int { return twoPerStepButLast(steps) }

// Draws returns one a step but the last, for Eta above 0.
func (s DPM2Ancestral) Draws(steps int) int { return drawPerStepButLast(steps, s.Eta) }

// Validate returns the faults of the constants.
func (s DPM2Ancestral) Validate() error {
	var f faults
	f.eta(s.Eta, s.SNoise)
	return f.err(s)
}

// Integrate implements Solver.
func (s DPM2Ancestral) Integrate(r *Run) error {
	denoised := r.Buffer(0)
	for i, next := range r.Sigmas[1:] {
		sigma := r.Sigmas[i]
		down, up := ancestral(sigma, next, s.Eta)
		if err := r.DenoiseAt(denoised, r.X, i, sigma); err != nil {
			return err
		}
		if err := r.dpm2Step(denoised, i, sigma, down); err != nil {
			return err
		}
		if err := r.addDraw(r.Buffer(1), s.SNoise*up, i, uint64(i)); err != nil {
			return err
		}
		if err := r.StepDone(i, sigma, denoised); err != nil {
			return err
		}
	}
	return nil
}
