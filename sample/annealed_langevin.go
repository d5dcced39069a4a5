package sample

import (
	"fmt"
	"math"
)

// AnnealedLangevin is annealed Langevin dynamics (NCSN: Song & Ermon 2019, Alg. 1):
// Corrections steps
//
//	x += alpha/2 score + sqrt(alpha) n, alpha = StepSize (sigma/sigma_min)^2,
//
// at every noise level, and at the end the denoised image (NCSNv2). With the
// score (D - x)/sigma^2 each step goes the same fraction StepSize / (2
// sigma_min^2) of the way to D, at every level; from 2 on that diverges. N Corrections
// + 1 evaluations and N Corrections draws.
type AnnealedLangevin struct {
	onLevels
	Corrections int     // Langevin steps at each noise level
	StepSize    float64 // epsilon, at the lowest noise level, in the units of the data squared
	SNoise      float64 // standard deviation of the fresh noise
}

// NCSN returns the published settings: 10 levels from 1 to 0.01 with 100 steps of size
// 2e-5 each, of images in [0, 1]. Ours are in [-1, 1], twice as large.
func NCSN() Options {
	return Options{
		Solver:   AnnealedLangevin{Corrections: 100, StepSize: 4 * 2e-5, SNoise: 1},
		NumSteps: 10, Levels: Geometric{Min: 2 * 0.01, Max: 2 * 1},
	}
}

// Evaluations returns N Corrections + 1.
func (s AnnealedLangevin) Evaluations(steps int) int { return steps*s.Corrections + 1 }

// Draws returns N Corrections.
func (s AnnealedLangevin) Draws(steps int) int { return steps * s.Corrections }

// Validate returns the faults of the constants.
func (s AnnealedLangevin) Validate() error {
	var f faults
	f.corrections(s.Corrections)
	f.positive("StepSize", s.StepSize)
	f.positive("SNoise", s.SNoise)
	return f.err(s)
}

// checkLevels returns an error for a step size with which the dynamics diverge.
func (s AnnealedLangevin) checkLevels(lowest float64) error {
	if most := 4 * lowest * lowest; !(s.StepSize < most) {
		return fmt.Errorf("%T: StepSize is %g, want less than 4 sigma_min^2 (%g), from where the dynamics diverge", s, s.StepSize, most)
	}
	return nil
}

// Integrate implements Solver.
func (s AnnealedLangevin) Integrate(r *Run) error {
	first, denoised := r.Buffer(0), r.Buffer(1)
	lowest := r.Sigmas[r.Steps()-1]
	fraction := s.StepSize / (2 * lowest * lowest)
	for i, next := range r.Sigmas[1:] {
		sigma, d := r.Sigmas[i], first
		std := s.SNoise * sigma * math.Sqrt(2*fraction)
		for k := range s.Corrections {
			if err := r.DenoiseAt(d, r.X, i, sigma); err != nil {
				return err
			}
			towards(r.X, r.X, d, fraction)
			if err := r.addDraw(r.Buffer(2), std, i, uint64(i*s.Corrections+k)); err != nil {
				return err
			}
			d = denoised
		}
		if next == 0 {
			if err := r.DenoiseAt(denoised, r.X, i, sigma); err != nil {
				return err
			}
			copy(r.X, denoised)
		}
		if err := r.StepDone(i, sigma, first); err != nil {
			return err
		}
	}
	return nil
}
