package sample

import "math"

// DPM2 is DPM-Solver-2 as Karras et al. use it (EDM App. D.3): the midpoint method on
// the ODE in sigma with its inner evaluation at the geometric mean of the step's ends,
// with churn. The last step, to 0, is Euler's. Two evaluations a step, 2N-1 in all.
type DPM2 struct {
	onLevels
	Churn Churn
}

// Evaluations returns 2N-1.
func (s DPM2) Evaluations(steps int) int { return twoPerStepButLast(steps) }

// Draws returns one a step with churn.
func (s DPM2) Draws(steps int) int { return s.Churn.draws(steps) }

// Validate returns the faults of the constants.
func (s DPM2) Validate() error { return s.Churn.faults().err(s) }

func (s DPM2) wants(r *Run, draw int) bool { return s.Churn.wants(r, draw) }

// Integrate implements Solver.
func (s DPM2) Integrate(r *Run) error {
	denoised := r.Buffer(0)
	for i, next := range r.Sigmas[1:] {
		sigma, err := s.Churn.raise(r, i, r.Buffer(1))
		if err != nil {
			return err
		}
		if err := r.DenoiseAt(denoised, r.X, i, sigma); err != nil {
			return err
		}
		if err := r.dpm2Step(denoised, i, sigma, next); err != nil {
			return err
		}
		if err := r.StepDone(i, sigma, denoised); err != nil {
			return err
		}
	}
	return nil
}

// dpm2Step takes r.X from noise level sigma to next, for the denoised image at
// sigma: along the slope at the geometric mean of both, which is reached by
// Euler's method. A step to 0 is Euler's.
func (r *Run) dpm2Step(denoised []float64, i int, sigma, next float64) error {
	if next == 0 {
		towards(r.X, r.X, denoised, 1)
		return nil
	}
	inner, denoisedInner := r.Buffer(1), r.Buffer(2)
	middle := math.Sqrt(sigma * next)
	towards(inner, r.X, denoised, 1-middle/sigma)
	if err := r.DenoiseAt(denoisedInner, inner, i, middle); err != nil {
		return err
	}
	h := (next - sigma) / middle
	for j, d := range denoisedInner {
		r.X[j] += h * (inner[j] - d)
	}
	return nil
}
