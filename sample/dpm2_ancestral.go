package sample

// dpm2AncestralSolver is dpm2 to a noise level below the step's end, and fresh
// noise up to it. Two evaluations a step, 2N-1 in all.
func dpm2AncestralSolver() solver {
	return solver{
		name:      "dpm2-ancestral",
		about:     "dpm2 to below the step's end, then noise up to it; eta 0 is dpm2",
		order:     2,
		uses:      useEta | useNoise,
		defaults:  fullEta,
		nfe:       twoPerStepButLast,
		draws:     drawPerStepButLast,
		integrate: integrateDPM2Ancestral,
	}
}

func integrateDPM2Ancestral(r *run) error {
	denoised := r.buffer(0)
	for i, next := range r.sigmas[1:] {
		sigma := r.sigmas[i]
		down, up := ancestral(sigma, next, r.opts.Eta)
		if err := r.denoiseAt(denoised, r.x, i, sigma); err != nil {
			return err
		}
		if err := r.dpm2Step(denoised, i, sigma, down); err != nil {
			return err
		}
		if err := r.addDraw(r.buffer(1), r.opts.SNoise*up, i, uint64(i)); err != nil {
			return err
		}
		if err := r.stepDone(i, sigma, denoised); err != nil {
			return err
		}
	}
	return nil
}
