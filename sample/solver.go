package sample

import (
	"fmt"
	"strings"
)

// solver is one way to integrate from the first noise level to 0. Each is a
// value in a file of its own, listed in solvers.
type solver struct {
	name  string
	about string // one line: the method and where it is from
	// order is the measured order of convergence of its deterministic form; 0
	// for solvers that are stochastic whatever their options.
	order    float64
	uses     use
	minSteps int
	adaptive bool // chooses its own steps, with useTolerance
	// defaults sets the published constants that differ from DefaultOptions.
	defaults func(o *Options)
	// nfe returns the number of denoiser evaluations of a run over the given
	// noise levels, the last of them 0; nil where it depends on the images.
	nfe func(o *Options, sigmas []float64) int
	// draws returns how many draws of fresh noise a run makes at most, numbered
	// from 0; nil for none. They are computed ahead, while the network works.
	draws func(r *run) int
	// integrate takes r.x from the first time to 0. It evaluates the network
	// with r.denoise alone and calls r.stepDone after every step.
	integrate func(r *run) error
}

// solvers lists every solver.
func solvers() []solver {
	return []solver{
		eulerSolver(), heunSolver(),
		rk4Solver(), dpm2Solver(), lmsSolver(), dpmpp2mSolver(),
		eulerAncestralSolver(), dpm2AncestralSolver(), dpmpp2sAncestralSolver(),
		dpmppSDESolver(), dpmpp2mSDESolver(), dpmpp3mSDESolver(),
		sdeEulerSolver(), sdeHeunSolver(), ddpmSolver(), ddimSolver(),
		annealedLangevinSolver(), predictorCorrectorSolver(),
		adaptiveODESolver(), adaptiveSDESolver(),
	}
}

// Solvers returns the names that Options.Solver takes.
func Solvers() []string {
	all := solvers()
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = s.name
	}
	return names
}

func solverByName(name string) (solver, bool) {
	for _, s := range solvers() {
		if s.name == name {
			return s, true
		}
	}
	return solver{}, false
}

// SolverInfo describes a solver.
type SolverInfo struct {
	Name       string
	About      string  // one line: the method and where it is from
	Order      float64 // of convergence without fresh noise; 0 for solvers that always add some
	Stochastic bool    // adds fresh noise with its published constants
	Adaptive   bool    // chooses its own steps by tolerances
	Process    bool    // integrates any schedule and scaling, not only noise levels
	Churn      bool    // takes SChurn
	MinSteps   int
}

// Describe returns what is known of a solver.
func Describe(name string) (SolverInfo, error) {
	s, ok := solverByName(name)
	if !ok {
		return SolverInfo{}, fmt.Errorf("sample: unknown solver %q, want one of %s", name, strings.Join(Solvers(), ", "))
	}
	o, err := OptionsFor(name)
	if err != nil {
		return SolverInfo{}, err
	}
	return SolverInfo{
		Name: s.name, About: s.about, Order: s.order, Stochastic: s.stochastic(&o), Adaptive: s.adaptive,
		Process: s.uses&useProcess != 0, Churn: s.uses&useChurn != 0, MinSteps: max(s.minSteps, 1),
	}, nil
}

// stochastic reports whether a run with o needs a source of noise.
func (s solver) stochastic(o *Options) bool {
	switch {
	case s.uses&useChurn != 0:
		return o.SChurn > 0
	case s.uses&useEta != 0:
		return o.Eta > 0
	case s.uses&useBeta != 0:
		return o.Beta > 0 || o.BetaFunc != nil
	}
	return s.uses&useNoise != 0
}

// StepsFor returns the largest number of steps with which o makes at most nfe
// evaluations. A budget below the solver's least is an error, as is a solver
// that chooses its own steps.
func StepsFor(o Options, nfe int) (int, error) {
	s, ok := solverByName(o.Solver)
	if !ok || s.nfe == nil {
		return 0, fmt.Errorf("sample: solver %q has no fixed number of evaluations a step", o.Solver)
	}
	cost := func(steps int) int { return s.nfe(&o, make([]float64, steps+1)) }
	least := max(s.minSteps, 1)
	if nfe < cost(least) {
		return 0, fmt.Errorf("sample: %d evaluations are too few for solver %s, which takes at least %d", nfe, o.Solver, cost(least))
	}
	low, high := least, least+1
	for cost(high) <= nfe && high < maxSteps {
		low, high = high, 2*high
	}
	for high-low > 1 {
		if middle := (low + high) / 2; cost(middle) <= nfe {
			low = middle
		} else {
			high = middle
		}
	}
	return low, nil
}
