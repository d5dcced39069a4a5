package likelihood

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"edm/sample"
)

// The solvers of the ODE. Both have steps fixed beforehand, so that an image's
// result depends on no other of its batch.
const (
	// RK4 is the classical method of order 4: four evaluations a step, half of
	// them at noise levels between the steps'.
	RK4 = "rk4"
	// Heun is of order 2: two evaluations a step, at noise levels that the network
	// supports. It is for networks that know only some levels.
	Heun = "heun"
)

// Solvers returns the names that Path.Solver takes.
func Solvers() []string { return []string{RK4, Heun} }

// Path says how the ODE is integrated. Noise levels are even in
// sigma^(1/rho), as in EDM Eq. 5.
type Path struct {
	Solver   string  // a name in Solvers
	Steps    int     // between SigmaMin and SigmaMax
	SigmaMin float64 // noise level that the images are taken to have
	SigmaMax float64 // noise level of the latents
	Rho      float64 // exponent of the noise levels
}

// DefaultPath returns 32 steps of RK4 between 0.002 and 80 with rho 7: 128
// evaluations. On the Gaussian mixtures of the package's tests that is within
// 0.005 bits a dimension, where Heun with as many evaluations is within 0.02.
func DefaultPath() Path {
	return Path{Solver: RK4, Steps: 32, SigmaMin: 0.002, SigmaMax: 80, Rho: 7}
}

const maxSteps = 1_000_000

// Validate reports every setting that makes no sense, joined into one error.
func (p Path) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	finite := func(v float64) bool { return v > 0 && !math.IsInf(v, 1) }
	check(slices.Contains(Solvers(), p.Solver), "solver is %q, want rk4 or heun", p.Solver)
	check(p.Steps >= 1 && p.Steps <= maxSteps, "steps is %d, want 1 to %d", p.Steps, maxSteps)
	check(finite(p.SigmaMin), "sigma_min is %g, want a finite number above 0", p.SigmaMin)
	check(finite(p.SigmaMax), "sigma_max is %g, want a finite number above 0", p.SigmaMax)
	check(!(p.SigmaMin >= p.SigmaMax), "sigma_min is %g, want less than sigma_max (%g)", p.SigmaMin, p.SigmaMax)
	check(finite(p.Rho), "rho is %g, want a finite number above 0", p.Rho)
	return errors.Join(errs...)
}

// levels are the noise levels of a path, upwards.
type levels struct {
	solver string
	// sigmas are the ends of the steps; rk4 has a middle between each two.
	sigmas []float64
	// rates are d ln sigma / dt at sigmas, for rk4's steps in t from 0 to 1.
	rates []float64
	notes []string
}

// newLevels plans a path for a network: it clips the range to the network's and, for
// heun, rounds the levels to the network's.
func newLevels(den sample.Denoiser, p Path) (levels, error) {
	l := levels{solver: p.Solver}
	low, high := den.SigmaRange()
	if p.SigmaMin < low {
		l.notes = append(l.notes, fmt.Sprintf("sigma_min %g is below the network's range and was raised to %g", p.SigmaMin, low))
		p.SigmaMin = low
	}
	if p.SigmaMax > high {
		l.notes = append(l.notes, fmt.Sprintf("sigma_max %g is above the network's range and was lowered to %g", p.SigmaMax, high))
		p.SigmaMax = high
	}
	if !(p.SigmaMin < p.SigmaMax) {
		return levels{}, fmt.Errorf("the network supports no noise levels between %g and %g", p.SigmaMin, p.SigmaMax)
	}
	n := p.Steps
	if p.Solver == RK4 {
		n *= 2
	}
	from, to := math.Pow(p.SigmaMin, 1/p.Rho), math.Pow(p.SigmaMax, 1/p.Rho)
	for i := range n + 1 {
		root := from + float64(i)/float64(n)*(to-from)
		l.sigmas = append(l.sigmas, math.Pow(root, p.Rho))
		l.rates = append(l.rates, p.Rho*(to-from)/root)
	}
	l.sigmas[0], l.sigmas[n] = p.SigmaMin, p.SigmaMax
	for i := range n {
		if !(l.sigmas[i] < l.sigmas[i+1]) {
			return levels{}, fmt.Errorf("rho %g makes %d steps between sigma %g and %g that float64 cannot tell apart: choose one nearer to 7",
				p.Rho, p.Steps, p.SigmaMin, p.SigmaMax)
		}
	}
	return l.rounded(den)
}

// rounded fits the levels to those that the network supports.
func (l levels) rounded(den sample.Denoiser) (levels, error) {
	if l.solver == RK4 {
		for _, sigma := range l.sigmas {
			if den.RoundSigma(sigma) != sigma {
				l.notes = append(l.notes, "the network knows only some noise levels, and rk4 evaluates it between them: heun is exact there")
				return l, nil
			}
		}
		return l, nil
	}
	for i, sigma := range l.sigmas {
		l.sigmas[i] = den.RoundSigma(sigma)
	}
	planned := len(l.sigmas) - 1
	l.sigmas = slices.Compact(l.sigmas)
	if steps := len(l.sigmas) - 1; steps < planned {
		l.notes = append(l.notes, fmt.Sprintf("the network has only %d noise levels there: %d steps instead of %d", steps+1, steps, planned))
	}
	if !(l.sigmas[0] > 0) || len(l.sigmas) < 2 {
		return levels{}, fmt.Errorf("the network rounds the noise levels to %v, want at least two above 0: choose another range", l.sigmas)
	}
	return l, nil
}

// ends returns the lowest and the highest level.
func (l levels) ends() (low, high float64) { return l.sigmas[0], l.sigmas[len(l.sigmas)-1] }

// evaluations returns the number of evaluations of one way.
func (l levels) evaluations() int { return 2 * (len(l.sigmas) - 1) }
