package sample

// Euler is Euler's method on the probability-flow ODE: order 1, one evaluation a step,
// N in all. It is EDM Alg. 1 without its correction, and with churn EDM Alg. 2 without
// it.
type Euler struct {
	Churn Churn
}

// Evaluations returns N.
func (s Euler) Evaluations(steps int) int { return onePerStep(steps) }

// Draws returns one a step with churn.
func (s Euler) Draws(steps int) int { return s.Churn.draws(steps) }

// Validate returns the faults of the constants.
func (s Euler) Validate() error { return s.Churn.faults().err(s) }

func (s Euler) wants(r *Run, draw int) bool { return s.Churn.wants(r, draw) }

// Integrate implements Solver.
func (s Euler) Integrate(r *Run) error {
	d := r.Buffer(0)
	for i, tNext := range r.Times[1:] {
		tHat, err := s.Churn.raise(r, i, r.Buffer(1))
		if err != nil {
			return err
		}
		at := r.Slope(tHat)
		if err := r.Denoise(d, r.X, i, at); err != nil {
			return err
		}
		at.Step(r.X, r.X, d, tNext-tHat)
		if err := r.StepDone(i, at.Sigma, d); err != nil {
			return err
		}
	}
	return nil
}
