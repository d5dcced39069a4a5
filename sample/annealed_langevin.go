package sample

import "math"

// annealedLangevinSolver is annealed Langevin dynamics (NCSN: Song & Ermon 2019,
// Alg. 1): Corrections steps
//
//	x += alpha/2 score + sqrt(alpha) n, alpha = StepSize (sigma/sigma_min)^2,
//
// at every noise level, and at the end the denoised image (NCSNv2). With the
// score (D - x)/sigma^2 each step goes the same fraction StepSize / (2
// sigma_min^2) of the way to D, at every level; from 2 on that diverges. NCSN's
// images are in [0, 1] and ours in [-1, 1]: the defaults are its constants for
// images twice as large. N Corrections + 1 evaluations and N Corrections draws.
func annealedLangevinSolver() solver {
	return solver{
		name:      "annealed-langevin",
		about:     "Langevin dynamics at each noise level in turn (NCSN Alg. 1), then the denoised image",
		uses:      useCorrections | useStepSize | useNoise,
		defaults:  ncsnDefaults,
		nfe:       func(o *Options, sigmas []float64) int { return (len(sigmas)-1)*o.Corrections + 1 },
		draws:     func(r *run) int { return r.numSteps() * r.opts.Corrections },
		integrate: integrateAnnealedLangevin,
	}
}

// ncsnDefaults sets NCSN's constants: 10 levels from 1 to 0.01 with 100 steps of
// size 2e-5 each, in units of images in [0, 1].
func ncsnDefaults(o *Options) {
	o.NumSteps, o.Disc, o.SigmaMin, o.SigmaMax = 10, "exponential", 2*0.01, 2*1
	o.Corrections, o.StepSize = 100, 4*2e-5
}

// checkStepSize reports a size with which the dynamics diverge.
func (o *Options) checkStepSize(f *faults, s solver) {
	if s.uses&useStepSize != 0 && o.SigmaMin > 0 {
		most := 4 * o.SigmaMin * o.SigmaMin
		f.check(!(o.StepSize >= most), "step_size is %g, want less than 4 sigma_min^2 (%g), from where the dynamics diverge", o.StepSize, most)
	}
}

func integrateAnnealedLangevin(r *run) error {
	first, denoised := r.buffer(0), r.buffer(1)
	lowest := r.sigmas[r.numSteps()-1]
	fraction := r.opts.StepSize / (2 * lowest * lowest)
	for i, next := range r.sigmas[1:] {
		sigma, d := r.sigmas[i], first
		std := r.opts.SNoise * sigma * math.Sqrt(2*fraction)
		for k := range r.opts.Corrections {
			if err := r.denoiseAt(d, r.x, i, sigma); err != nil {
				return err
			}
			towards(r.x, r.x, d, fraction)
			if err := r.addDraw(r.buffer(2), std, i, uint64(i*r.opts.Corrections+k)); err != nil {
				return err
			}
			d = denoised
		}
		if next == 0 {
			if err := r.denoiseAt(denoised, r.x, i, sigma); err != nil {
				return err
			}
			copy(r.x, denoised)
		}
		if err := r.stepDone(i, sigma, first); err != nil {
			return err
		}
	}
	return nil
}
