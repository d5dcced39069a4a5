package sample

// DPMPP2M is DPM-Solver++(2M) (Lu et al. 2022b, Alg. 2): the exponential method in
// lambda = -ln sigma with the denoised image extrapolated from the step before to the
// middle of this one. The first step and the last, to 0, are Euler's. One evaluation a
// step, N in all.
type DPMPP2M struct{ onLevels }

// Evaluations returns N.
func (DPMPP2M) Evaluations(steps int) int { return onePerStep(steps) }

// Draws returns 0.
func (DPMPP2M) Draws(int) int { return 0 }

// Integrate implements Solver.
func (DPMPP2M) Integrate(r *Run) error { return DPMPP2MSDE{}.Integrate(r) }
