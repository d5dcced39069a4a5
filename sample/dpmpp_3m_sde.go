package sample

import "math"

// dpmpp3mSDESolver is dpmpp-2m-sde with two steps of memory: the denoised image
// is a parabola in lambda = -ln sigma through its last three values, integrated
// against the exponential. The first two steps use what there is, and the last,
// to 0, is Euler's. One evaluation a step, N in all.
//
// The published formula, which this is, gives the second difference half the
// weight of that integral: phi_3 where 2 phi_3 would be exact. So it is of order
// 2 with a small constant. With the full weight it measures 3, but is the worse
// of the two below some 64 steps.
func dpmpp3mSDESolver() solver {
	return solver{
		name:      "dpmpp-3m-sde",
		about:     "SDE-DPM-Solver++(3M): multistep with two steps of memory in ln sigma; its published form is of order 2",
		order:     2,
		uses:      useEta | useNoise,
		defaults:  fullEta,
		nfe:       onePerStep,
		draws:     drawPerStepButLast,
		integrate: integrateDPMpp3mSDE,
	}
}

func integrateDPMpp3mSDE(r *run) error {
	var h, h1, h2 float64 // this step in lambda, the one before, and the one before that
	for i, next := range r.sigmas[1:] {
		sigma := r.sigmas[i]
		denoised := r.buffer(i % 3)
		if err := r.denoiseAt(denoised, r.x, i, sigma); err != nil {
			return err
		}
		h = math.Log(sigma / next) // infinite in the last step
		towards(r.x, r.x, denoised, -math.Expm1(-h*(1+r.opts.Eta)))
		if next > 0 {
			r.dpmpp3mCorrect(i, h, h1, h2)
		}
		if err := r.addDraw(r.buffer(3), r.sdeNoise(h, next), i, uint64(i)); err != nil {
			return err
		}
		h1, h2 = h, h1
		if err := r.stepDone(i, sigma, denoised); err != nil {
			return err
		}
	}
	return nil
}

// dpmpp3mCorrect adds to r.x what the change of the denoised image during step i
// contributes: phi_2 times its slope minus phi_3 times its second difference, in
// units of the step, from what steps there were before.
func (r *run) dpmpp3mCorrect(i int, h, h1, h2 float64) {
	if i == 0 {
		return
	}
	d0, d1, d2 := r.buffer(i%3), r.buffer((i+2)%3), r.buffer((i+1)%3)
	full := h * (1 + r.opts.Eta)
	phi2 := 1 + math.Expm1(-full)/full
	r1, r2 := h1/h, h2/h
	if i == 1 {
		for j := range r.x {
			r.x[j] += phi2 / r1 * (d0[j] - d1[j])
		}
		return
	}
	phi3 := phi2/full - 0.5
	for j := range r.x {
		near, far := (d0[j]-d1[j])/r1, (d1[j]-d2[j])/r2
		second := (near - far) / (r1 + r2)
		r.x[j] += phi2*(near+second*r1) - phi3*second
	}
}
