package sample

import "math"

// DPMPP3MSDE is DPMPP2MSDE with two steps of memory: the denoised image is a parabola
// in lambda = -ln sigma through its last three values, integrated against the
// exponential. The first two steps use fewer values, and the last, to 0, is Euler's.
// One evaluation a step, N in all.
//
// The published formula, which this is, gives the second difference half the
// weight of that integral: phi_3 where 2 phi_3 would be exact. So it is of order
// 2 with a small constant. With the full weight it measures 3, but is the worse
// of the two below some 64 steps.
type DPMPP3MSDE struct {
	onLevels
	Eta    float64 // fresh noise as a fraction of the full amount
	SNoise float64 // standard deviation of the fresh noise
}

// DefaultDPMPP3MSDE returns the full amount of fresh noise.
func DefaultDPMPP3MSDE() DPMPP3MSDE { return DPMPP3MSDE{Eta: 1, SNoise: 1} }

// Evaluations returns N.
func (s DPMPP3MSDE) Evaluations(steps int) int { return onePerStep(steps) }

// Draws returns one a step but the last, for Eta above 0.
func (s DPMPP3MSDE) Draws(steps int) int { return drawPerStepButLast(steps, s.Eta) }

// Validate returns the faults of the constants.
func (s DPMPP3MSDE) Validate() error {
	var f faults
	f.eta(s.Eta, s.SNoise)
	return f.err(s)
}

// Integrate implements Solver.
func (s DPMPP3MSDE) Integrate(r *Run) error {
	var h, h1, h2 float64 // this step in lambda, the one before, and the one before that
	for i, next := range r.Sigmas[1:] {
		sigma := r.Sigmas[i]
		denoised := r.Buffer(i % 3)
		if err := r.DenoiseAt(denoised, r.X, i, sigma); err != nil {
			return err
		}
		h = math.Log(sigma / next) // infinite in the last step
		towards(r.X, r.X, denoised, -math.Expm1(-h*(1+s.Eta)))
		if next > 0 {
			s.correct(r, i, h, h1, h2)
		}
		if err := r.addDraw(r.Buffer(3), sdeNoise(s.Eta, s.SNoise, h, next), i, uint64(i)); err != nil {
			return err
		}
		h1, h2 = h, h1
		if err := r.StepDone(i, sigma, denoised); err != nil {
			return err
		}
	}
	return nil
}

// correct adds to r.X the effect of the change of the denoised image during step i:
// phi_2 times its slope minus phi_3 times its second difference, in units of the step,
// from the steps before.
func (s DPMPP3MSDE) correct(r *Run, i int, h, h1, h2 float64) {
	if i == 0 {
		return
	}
	d0, d1, d2 := r.Buffer(i%3), r.Buffer((i+2)%3), r.Buffer((i+1)%3)
	full := h * (1 + s.Eta)
	phi2 := 1 + math.Expm1(-full)/full
	r1, r2 := h1/h, h2/h
	if i == 1 {
		for j := range r.X {
			r.X[j] += phi2 / r1 * (d0[j] - d1[j])
		}
		return
	}
	phi3 := phi2/full - 0.5
	for j := range r.X {
		near, far := (d0[j]-d1[j])/r1, (d1[j]-d2[j])/r2
		second := (near - far) / (r1 + r2)
		r.X[j] += phi2*(near+second*r1) - phi3*second
	}
}
