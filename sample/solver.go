package sample

// solver is one way to integrate from the first noise level to 0. Each is a
// value in a file of its own, listed in solvers.
type solver struct {
	name string
	// nfe returns the number of denoiser evaluations for numSteps steps.
	nfe func(numSteps int) int
	// integrate takes r.x from r.sigmas[0] to 0. It evaluates the network with
	// r.denoise alone and calls r.stepDone after every step.
	integrate func(r *run) error
}

// solvers lists every solver.
func solvers() []solver {
	return []solver{eulerSolver(), heunSolver()}
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
