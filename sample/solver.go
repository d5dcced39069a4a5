package sample

// Solver integrates from the first noise level to 0. Each solver of this package is a
// struct with its own constants, in a file of its own; a type with these methods is a
// solver as well.
//
// New calls a method Validate() error of a solver that has one.
type Solver interface {
	// Evaluations returns the number of denoiser evaluations of a run of that many
	// steps; 0 if the solver chooses its own steps, and the images decide.
	Evaluations(steps int) int
	// Draws returns the number of draws of fresh noise that a run makes at most,
	// numbered from 0. The sampler computes them ahead, while the network works.
	Draws(steps int) int
	// Integrate takes r.X from noise level r.Sigmas[0] to 0. It evaluates the network
	// by r.Denoise or r.DenoiseAt alone, and calls r.StepDone after every step.
	Integrate(r *Run) error
}

// levelSolver is a solver that works on noise levels alone: it integrates z = x/s as a
// function of sigma, which no schedule and no scaling changes.
type levelSolver interface {
	Solver
	levelsAlone()
}

// onLevels makes a struct that embeds it a levelSolver.
type onLevels struct{}

func (onLevels) levelsAlone() {}

// skipper is a solver that leaves draws out.
type skipper interface {
	// wants reports whether the solver makes a draw of a run.
	wants(r *Run, draw int) bool
}

// onePerStep is the cost of solvers with one evaluation a step.
func onePerStep(steps int) int { return steps }

// twoPerStepButLast is the cost of two-stage solvers whose last step is Euler's.
func twoPerStepButLast(steps int) int { return 2*steps - 1 }

// drawPerStepButLast is the number of draws of solvers that end a step with fresh
// noise, of which amount is a fraction: the last step, to 0, has none.
func drawPerStepButLast(steps int, amount float64) int {
	if amount == 0 {
		return 0
	}
	return steps - 1
}

// validate calls Validate of a value that has one.
func validate(v any) error {
	if c, ok := v.(interface{ Validate() error }); ok {
		return c.Validate()
	}
	return nil
}
