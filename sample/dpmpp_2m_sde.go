package sample

import "math"

// DPMPP2MSDE is SDE-DPM-Solver++(2M) (Lu et al. 2022b, Sec. 4.3) in its midpoint form:
// DPMPP2M with the SDE's faster pull towards the denoised image and its fresh noise.
// The last step, to 0, is Euler's. One evaluation a step, N in all.
type DPMPP2MSDE struct {
	onLevels
	Eta    float64 // fresh noise as a fraction of the full amount; 0 is DPMPP2M
	SNoise float64 // standard deviation of the fresh noise
}

// DefaultDPMPP2MSDE returns the full amount of fresh noise.
func DefaultDPMPP2MSDE() DPMPP2MSDE { return DPMPP2MSDE{Eta: 1, SNoise: 1} }

// Evaluations returns N.
func (s DPMPP2MSDE) Evaluations(steps int) int { return onePerStep(steps) }

// Draws returns one a step but the last, for Eta above 0.
func (s DPMPP2MSDE) Draws(steps int) int { return drawPerStepButLast(steps, s.Eta) }

// Validate returns the faults of the constants.
func (s DPMPP2MSDE) Validate() error {
	var f faults
	f.eta(s.Eta, s.SNoise)
	return f.err(s)
}

// Integrate implements Solver.
func (s DPMPP2MSDE) Integrate(r *Run) error {
	target := r.Buffer(2)
	hLast := 0.0
	for i, next := range r.Sigmas[1:] {
		sigma := r.Sigmas[i]
		denoised, before := r.Buffer(i%2), r.Buffer((i+1)%2)
		if err := r.DenoiseAt(denoised, r.X, i, sigma); err != nil {
			return err
		}
		h := math.Log(sigma / next) // of lambda; infinite in the last step
		if i == 0 || next == 0 {
			copy(target, denoised)
		} else {
			extrapolate(target, denoised, before, h/(2*hLast))
		}
		towards(r.X, r.X, target, -math.Expm1(-h*(1+s.Eta)))
		if err := r.addDraw(target, sdeNoise(s.Eta, s.SNoise, h, next), i, uint64(i)); err != nil {
			return err
		}
		hLast = h
		if err := r.StepDone(i, sigma, denoised); err != nil {
			return err
		}
	}
	return nil
}

// sdeNoise returns the standard deviation of the noise that a step of h in
// lambda, to noise level next, adds: that of the reverse SDE with eta times its
// rate of noise.
func sdeNoise(eta, sNoise, h, next float64) float64 {
	if eta == 0 || next == 0 {
		return 0
	}
	return sNoise * next * math.Sqrt(-math.Expm1(-2*eta*h))
}
