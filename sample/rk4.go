package sample

// RK4 is the classic Runge-Kutta method on the probability-flow ODE, of order 4 down
// to the lowest noise level. The slope at 0 does not exist, so the last step is
// Euler's, as in Heun: its error, of the size of the square of that level, does not
// shrink with the number of steps. Four evaluations a step, 4N-3 in all.
type RK4 struct{}

// Evaluations returns 4N-3.
func (RK4) Evaluations(steps int) int { return 4*steps - 3 }

// Draws returns 0.
func (RK4) Draws(int) int { return 0 }

// Integrate implements Solver.
func (RK4) Integrate(r *Run) error {
	denoised := r.Buffer(0)
	for i, tNext := range r.Times[1:] {
		t := r.Times[i]
		at := r.Slope(t)
		if err := r.Denoise(denoised, r.X, i, at); err != nil {
			return err
		}
		if tNext == 0 {
			at.Step(r.X, r.X, denoised, -t)
		} else if err := r.rk4Step(denoised, i, at); err != nil {
			return err
		}
		if err := r.StepDone(i, at.Sigma, denoised); err != nil {
			return err
		}
	}
	return nil
}

// rk4Step takes r.X over step i, for the denoised image at its start. Each stage
// goes from the step's start along the slope of the stage before it.
func (r *Run) rk4Step(denoised []float64, i int, at Slope) error {
	stage, inner, slope, next := r.Buffer(1), r.Buffer(2), r.Buffer(3), r.Buffer(4)
	t := r.Times[i]
	h := r.Times[i+1] - t
	at.Write(slope, r.X, denoised)
	shift(next, r.X, slope, h/6)
	for _, s := range [...]struct{ place, weight float64 }{{0.5, 1. / 3}, {0.5, 1. / 3}, {1, 1. / 6}} {
		shift(stage, r.X, slope, s.place*h)
		at = r.Slope(r.between(i, t, s.place))
		if err := r.Denoise(inner, stage, i, at); err != nil {
			return err
		}
		at.Write(slope, stage, inner)
		shift(next, next, slope, s.weight*h)
	}
	copy(r.X, next)
	return nil
}
