package sample

import "math"

// dpmpp2mSDESolver is SDE-DPM-Solver++(2M) (Lu et al. 2022b, Sec. 4.3) in its
// midpoint form: dpmpp-2m with the SDE's faster pull towards the denoised image
// and its fresh noise. The last step, to 0, is Euler's. One evaluation a step, N
// in all.
func dpmpp2mSDESolver() solver {
	return solver{
		name:      "dpmpp-2m-sde",
		about:     "SDE-DPM-Solver++(2M), midpoint form: multistep in ln sigma (Lu et al. 2022b); eta 0 is dpmpp-2m",
		order:     2,
		uses:      useEta | useNoise,
		defaults:  fullEta,
		nfe:       onePerStep,
		draws:     drawPerStepButLast,
		integrate: integrateDPMpp2mSDE,
	}
}

func integrateDPMpp2mSDE(r *run) error {
	target := r.buffer(2)
	hLast := 0.0
	for i, next := range r.sigmas[1:] {
		sigma := r.sigmas[i]
		denoised, before := r.buffer(i%2), r.buffer((i+1)%2)
		if err := r.denoiseAt(denoised, r.x, i, sigma); err != nil {
			return err
		}
		h := math.Log(sigma / next) // of lambda; infinite in the last step
		if i == 0 || next == 0 {
			copy(target, denoised)
		} else {
			extrapolate(target, denoised, before, h/(2*hLast))
		}
		towards(r.x, r.x, target, -math.Expm1(-h*(1+r.opts.Eta)))
		if err := r.addDraw(target, r.sdeNoise(h, next), i, uint64(i)); err != nil {
			return err
		}
		hLast = h
		if err := r.stepDone(i, sigma, denoised); err != nil {
			return err
		}
	}
	return nil
}

// sdeNoise returns the standard deviation of the noise that a step of h in
// lambda, to noise level next, adds: that of the reverse SDE with eta times its
// rate of noise.
func (r *run) sdeNoise(h, next float64) float64 {
	if r.opts.Eta == 0 || next == 0 {
		return 0
	}
	return r.opts.SNoise * next * math.Sqrt(-math.Expm1(-2*r.opts.Eta*h))
}
