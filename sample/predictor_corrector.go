package sample

import "math"

// predictorCorrectorSolver is the predictor-corrector sampler for VE processes
// (score SDE: Song et al. 2021, Alg. 2 and App. G) on any noise levels: a
// reverse diffusion step to the next level, then Corrections Langevin steps
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
func predictorCorrectorSolver() solver {
	return solver{
		name:      "predictor-corrector",
		about:     "reverse diffusion steps, each corrected by Langevin steps of a fixed signal-to-noise ratio (score SDE Alg. 2)",
		uses:      useCorrections | useSNR | useNoise,
		defaults:  func(o *Options) { o.Corrections, o.SNR = 1, 0.16 },
		nfe:       func(o *Options, sigmas []float64) int { return (len(sigmas)-2)*(1+o.Corrections) + 1 },
		draws:     func(r *run) int { return (r.numSteps() - 1) * (1 + r.opts.Corrections) },
		integrate: integratePredictorCorrector,
	}
}

func integratePredictorCorrector(r *run) error {
	denoised := r.buffer(0)
	for i, next := range r.sigmas[1:] {
		sigma := r.sigmas[i]
		if err := r.denoiseAt(denoised, r.x, i, sigma); err != nil {
			return err
		}
		// x + (sigma^2 - next^2) score
		towards(r.x, r.x, denoised, (1-next/sigma)*(1+next/sigma))
		if next > 0 {
			draw := uint64(i * (1 + r.opts.Corrections))
			std := r.opts.SNoise * math.Sqrt((sigma-next)*(sigma+next))
			if err := r.addDraw(r.buffer(1), std, i, draw); err != nil {
				return err
			}
			if err := r.correct(i, next, draw+1); err != nil {
				return err
			}
		}
		if err := r.stepDone(i, sigma, denoised); err != nil {
			return err
		}
	}
	return nil
}

// correct takes step i's Langevin steps at a noise level, with draws from number
// draw on.
func (r *run) correct(i int, sigma float64, draw uint64) error {
	denoised, normals := r.buffer(1), r.buffer(2)
	for k := range r.opts.Corrections {
		if err := r.denoiseAt(denoised, r.x, i, sigma); err != nil {
			return err
		}
		if err := r.normals(normals, i, draw+uint64(k)); err != nil {
			return err
		}
		for a := 0; a < len(r.x); a += r.dim {
			b := a + r.dim
			langevinStep(r.x[a:b], denoised[a:b], normals[a:b], sigma, r.opts.SNR, r.opts.SNoise)
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
