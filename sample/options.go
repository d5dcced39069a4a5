package sample

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

// maxSteps bounds NumSteps: beyond it the schedule would fill memory before
// the first step.
const maxSteps = 1_000_000

// Options selects a solver and its noise levels.
type Options struct {
	Solver   string  // a name in Solvers
	NumSteps int     // N: steps, of one or more network evaluations each
	SigmaMin float64 // lowest noise level above 0, in the units of the data
	SigmaMax float64 // noise level that sampling starts at, in the units of the data
	Rho      float64 // exponent of the time steps (EDM Eq. 5); larger puts more of them near SigmaMin

	// Stochastic sampling (EDM Alg. 2).
	SChurn float64 // amount of fresh noise over the whole run; 0 is deterministic
	SMin   float64 // lowest noise level with fresh noise
	SMax   float64 // highest noise level with fresh noise; may be infinite
	SNoise float64 // standard deviation of the fresh noise
}

// DefaultOptions returns the settings of EDM Table 1 and Alg. 1: 18 steps of
// Heun from 80 to 0.002 with rho 7, deterministic.
func DefaultOptions() Options {
	return Options{
		Solver: "heun", NumSteps: 18, SigmaMin: 0.002, SigmaMax: 80, Rho: 7,
		SChurn: 0, SMin: 0, SMax: math.Inf(1), SNoise: 1,
	}
}

// Validate reports every option that makes no sense, joined into one error and
// named as on the command line.
func (o Options) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	finite := func(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
	_, known := solverByName(o.Solver)
	check(known, "solver is %q, want one of %s", o.Solver, strings.Join(Solvers(), ", "))
	check(o.NumSteps >= 1 && o.NumSteps <= maxSteps, "steps is %d, want 1 to %d", o.NumSteps, maxSteps)
	check(o.SigmaMin > 0 && finite(o.SigmaMin), "sigma_min is %g, want a finite number above 0", o.SigmaMin)
	check(o.SigmaMax > 0 && finite(o.SigmaMax), "sigma_max is %g, want a finite number above 0", o.SigmaMax)
	check(!(o.SigmaMin >= o.SigmaMax), "sigma_min is %g, want less than sigma_max (%g)", o.SigmaMin, o.SigmaMax)
	check(o.Rho > 0 && finite(o.Rho), "rho is %g, want a finite number above 0", o.Rho)
	check(o.SChurn >= 0 && finite(o.SChurn), "S_churn is %g, want a finite number of at least 0", o.SChurn)
	check(o.SMin >= 0 && finite(o.SMin), "S_min is %g, want a finite number of at least 0", o.SMin)
	check(o.SMax >= 0, "S_max is %g, want a number of at least 0", o.SMax)
	check(!(o.SMin > o.SMax), "S_min is %g, want at most S_max (%g)", o.SMin, o.SMax)
	check(o.SNoise > 0 && finite(o.SNoise), "S_noise is %g, want a finite number above 0", o.SNoise)
	return errors.Join(errs...)
}
