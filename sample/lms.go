package sample

// LMS is the linear multistep method (Adams-Bashforth for uneven steps) on the ODE in
// sigma: the slopes at the last Order noise levels are interpolated by a polynomial,
// which is integrated over the step. It starts with lower orders, where the ODE is
// nearly straight: their error, of order 2, is below that of the rest up to about a
// thousand steps. The step to 0 is of the same kind and needs no slope there. One
// evaluation a step, N in all.
type LMS struct {
	onLevels
	Order int // slopes, 1 to 8
}

const maxOrder = 8 // of multistep solvers

// DefaultLMS returns order 4.
func DefaultLMS() LMS { return LMS{Order: 4} }

// Evaluations returns N.
func (s LMS) Evaluations(steps int) int { return onePerStep(steps) }

// Draws returns 0.
func (LMS) Draws(int) int { return 0 }

// Validate returns the faults of the constants.
func (s LMS) Validate() error {
	var f faults
	f.check(s.Order >= 1 && s.Order <= maxOrder, "Order is %d, want 1 to %d", s.Order, maxOrder)
	return f.err(s)
}

// Integrate implements Solver.
func (s LMS) Integrate(r *Run) error {
	denoised, order := r.Buffer(0), s.Order
	var weights [maxOrder]float64
	for i, next := range r.Sigmas[1:] {
		sigma := r.Sigmas[i]
		if err := r.DenoiseAt(denoised, r.X, i, sigma); err != nil {
			return err
		}
		slope := r.Buffer(1 + i%order)
		for j, d := range denoised {
			slope[j] = (r.X[j] - d) / sigma
		}
		terms := min(i+1, order)
		adamsWeights(weights[:terms], r.Sigmas[i+1-terms:i+1], next)
		for k, w := range weights[:terms] {
			past := r.Buffer(1 + (i-k)%order)
			for j := range r.X {
				r.X[j] += w * past[j]
			}
		}
		if err := r.StepDone(i, sigma, denoised); err != nil {
			return err
		}
	}
	return nil
}

// adamsWeights writes the weights of the slopes at the noise levels at, newest
// last, in a step from the newest to next: weights[k] belongs to the k-th newest
// and is the integral of its Lagrange polynomial.
//
// In the variable u, 0 at the newest level and 1 at next, the older levels are
// negative, so that every polynomial is a product of u + p with p >= 0: its
// coefficients have one sign, and integrating them loses no digits.
func adamsWeights(weights, at []float64, next float64) {
	newest := at[len(at)-1]
	h := next - newest
	var past [maxOrder]float64 // -u, from the newest back
	for k := range weights {
		past[k] = (at[len(at)-1-k] - newest) / -h
	}
	for k := range weights {
		poly := [maxOrder]float64{1} // coefficients of 1, u, u^2, ...
		degree, norm := 0, 1.0
		for m, p := range past[:len(weights)] {
			if m == k {
				continue
			}
			degree++
			for d := degree; d > 0; d-- {
				poly[d] = poly[d]*p + poly[d-1]
			}
			poly[0] *= p
			norm *= p - past[k]
		}
		integral := 0.0
		for d, c := range poly[:degree+1] {
			integral += c / float64(d+1)
		}
		weights[k] = h * integral / norm
	}
}
