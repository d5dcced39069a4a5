package sample

import "math"

// PredictorCorrector is the predictor-corrector sampler for VE processes (score SDE:
// Song et al. 2021, Alg. 2 and App. G) on any noise levels: a reverse diffusion step to
// the next level, then Corrections Langevin steps
//
//	x += epsilon score + sqrt(2 epsilon) n, epsilon = 2 (SNR |n| / |score|)^2
//
// there. The published corrector takes the mean norms of a batch; here they are
// each image's own, so that an image does not depend on the others. Images of a
// few numbers, whose norms vary much, are not what it is for. epsilon does not
// fall with the number of steps: the corrector leaves the variance of the noisy
// images too large by about SNR^2, however many there are. The last step, to 0,
// is the predictor's without noise, the denoised image. N + (N-1) Corrections
// evaluations and a draw for each but the last.
type PredictorCorrector struct {
	onLevels
	Corrections int     // Langevin steps at each noise level
	SNR         float64 // size of a correction as a signal-to-noise ratio
	SNoise      float64 // standard deviation of the fresh noise
}

// DefaultPredictorCorrector returns the constants of the score-SDE paper.
func DefaultPredictorCorrector() PredictorCorrector {
	return PredictorCorrector{Corrections: 1, SNR: 0.16, SNoise: 1}
}

// Evaluations returns N + (N-1) Corrections.
func (s PredictorCorrector) Evaluations(steps int) int { return (steps-1)*(1+s.Corrections) + 1 }

// Draws returns (N-1) (1 + Corrections).
func (s PredictorCorrector) Draws(steps int) int { return (steps - 1) * (1 + s.Corrections) }

// Validate returns the faults of the constants.
func (s PredictorCorrector) Validate() error {
	var f faults
	f.corrections(s.Corrections)
	f.positive("SNR", s.SNR)
	f.positive("SNoise", s.SNoise)
	return f.err(s)
}

// Integrate implements Solver.
func (s PredictorCorrector) Integrate(r *Run) error {
	denoised := r.Buffer(0)
	for i, next := range r.Sigmas[1:] {
		sigma := r.Sigmas[i]
		if err := r.DenoiseAt(denoised, r.X, i, sigma); err != nil {
			return err
		}
		// x + (sigma^2 - next^2) score
		towards(r.X, r.X, denoised, (1-next/sigma)*(1+next/sigma))
		if next > 0 {
			draw := uint64(i * (1 + s.Corrections))
			std := s.SNoise * math.Sqrt((sigma-next)*(sigma+next))
			if err := r.addDraw(r.Buffer(1), std, i, draw); err != nil {
				return err
			}
			if err := s.correct(r, i, next, draw+1); err != nil {
				return err
			}
		}
		if err := r.StepDone(i, sigma, denoised); err != nil {
			return err
		}
	}
	return nil
}

// correct takes step i's Langevin steps at a noise level, with draws from number
// draw on.
func (s PredictorCorrector) correct(r *Run, i int, sigma float64, draw uint64) error {
	denoised, normals := r.Buffer(1), r.Buffer(2)
	for k := range s.Corrections {
		if err := r.DenoiseAt(denoised, r.X, i, sigma); err != nil {
			return err
		}
		if err := r.Draw(normals, i, draw+uint64(k)); err != nil {
			return err
		}
		for a := 0; a < len(r.X); a += r.Dim {
			b := a + r.Dim
			langevinStep(r.X[a:b], denoised[a:b], normals[a:b], sigma, s.SNR, s.SNoise)
		}
	}
	return nil
}

// langevinStep corrects one image. With score = (D - x) / sigma^2, epsilon score
// is a fraction of the way to D. An image whose score is 0 has no ratio to keep
// and stays.
func langevinStep(x, denoised, normals []float64, sigma, snr, sNoise float64) {
	var pull, noise float64
	for j, v := range x {
		pull += (denoised[j] - v) * (denoised[j] - v)
		noise += normals[j] * normals[j]
	}
	if pull == 0 {
		return
	}
	root := snr * sigma * math.Sqrt(noise/pull) // sqrt(epsilon / 2) / sigma
	fraction, std := 2*root*root, 2*root*sigma*sNoise
	for j, v := range x {
		x[j] = v + fraction*(denoised[j]-v) + std*normals[j]
	}
}
