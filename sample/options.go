package sample

import (
	"errors"
	"fmt"
	"math"
	"reflect"

	"edm/model/noise"
)

// maxSteps bounds NumSteps: beyond it the schedule would fill memory before
// the first step.
const maxSteps = 1_000_000

// Options are a point of the design space of EDM Table 1, rows "Sampling": how to go
// from noise to an image.
type Options struct {
	Solver   Solver  // for example Heun{Alpha: 1}
	NumSteps int     // N: steps, of one or more evaluations each; 0 for solvers that choose their own
	Levels   Levels  // where the steps are, for example Karras{Min: 0.002, Max: 80, Rho: 7}
	Process  Process // schedule and scaling; the zero value is EDM's
}

// Process is the way from an image to noise, x(t) = s(t) (y + sigma(t) n).
type Process struct {
	Schedule noise.Schedule // sigma(t); nil is noise.Linear{}
	Scaling  noise.Scaling  // s(t); nil is noise.Unscaled{}
}

// EDM returns the settings of EDM Table 1 and Alg. 1: 18 steps of Heun from 80 to
// 0.002 with rho 7, deterministic. They make 35 evaluations.
func EDM() Options {
	return Options{Solver: DefaultHeun(), NumSteps: 18, Levels: DefaultKarras()}
}

// filled returns p with EDM's schedule and scaling where it has none.
func (p Process) filled() Process {
	if p.Schedule == nil {
		p.Schedule = noise.Linear{}
	}
	if p.Scaling == nil {
		p.Scaling = noise.Unscaled{}
	}
	return p
}

// Validate returns every fault of the options, joined.
func (o Options) Validate() error {
	var f faults
	f.check(o.Solver != nil, "Solver is nil, want for example Heun{Alpha: 1}")
	f.check(o.Levels != nil, "Levels is nil, want for example Karras{Min: 0.002, Max: 80, Rho: 7}")
	f.add(validate(o.Solver))
	f.add(validate(o.Levels))
	f.add(validate(o.Process.Schedule))
	f.add(validate(o.Process.Scaling))
	if o.Solver != nil && len(f) == 0 {
		o.checkSteps(&f)
	}
	return errors.Join(f...)
}

// checkSteps reports steps and a process that the solver has no use for.
func (o Options) checkSteps(f *faults) {
	if o.Solver.Evaluations(1) == 0 {
		f.check(o.NumSteps == 0, "NumSteps is %d, but %T chooses its own: set its tolerances instead", o.NumSteps, o.Solver)
	} else {
		f.check(o.NumSteps >= 1 && o.NumSteps <= maxSteps, "NumSteps is %d, want 1 to %d", o.NumSteps, maxSteps)
	}
	if _, levels := o.Solver.(levelSolver); levels {
		plain := reflect.DeepEqual(o.Process.filled(), Process{}.filled())
		f.check(plain, "Process %+v has no effect: %T works on noise levels alone", o.Process, o.Solver)
	}
}

// StepsWithin returns the largest number of steps with which a solver makes at most
// nfe evaluations. A budget below that of one step is an error, as is a solver that
// chooses its own steps.
func StepsWithin(s Solver, nfe int) (int, error) {
	least := s.Evaluations(1)
	if least == 0 {
		return 0, fmt.Errorf("sample: %T has no fixed number of evaluations a step", s)
	}
	if nfe < least {
		return 0, fmt.Errorf("sample: %d evaluations are too few for %T, which takes at least %d", nfe, s, least)
	}
	low, high := 1, 2
	for s.Evaluations(high) <= nfe && high < maxSteps {
		low, high = high, 2*high
	}
	for high-low > 1 {
		if middle := (low + high) / 2; s.Evaluations(middle) <= nfe {
			low = middle
		} else {
			high = middle
		}
	}
	return low, nil
}

// faults collects the messages of Validate.
type faults []error

func (f *faults) check(ok bool, format string, args ...any) {
	if !ok {
		*f = append(*f, fmt.Errorf(format, args...))
	}
}

func (f *faults) add(err error) {
	if err != nil {
		*f = append(*f, err)
	}
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// Checks of constants, which are named as fields.

func (f *faults) positive(name string, v float64) {
	f.check(v > 0 && finite(v), "%s is %g, want a finite number above 0", name, v)
}

func (f *faults) atLeast0(name string, v float64) {
	f.check(v >= 0 && finite(v), "%s is %g, want a finite number of at least 0", name, v)
}

func (f *faults) fraction(name string, v float64) {
	f.check(v > 0 && v <= 1, "%s is %g, want a number above 0 and at most 1", name, v)
}

func (f *faults) eta(v, sNoise float64) {
	f.check(v >= 0 && v <= 1, "Eta is %g, want a number from 0 to 1", v)
	if v > 0 {
		f.positive("SNoise", sNoise)
	}
}

func (f *faults) tolerances(rtol, atol float64, maxNFE int) {
	f.positive("RTol", rtol)
	f.positive("ATol", atol)
	f.check(maxNFE >= 1, "MaxNFE is %d, want at least 1", maxNFE)
}

func (f *faults) corrections(n int) {
	f.check(n >= 1 && n <= maxSteps, "Corrections is %d, want 1 to %d", n, maxSteps)
}

func (f *faults) rate(beta Rate, sNoise float64) {
	if beta.amount() > 0 {
		f.positive("SNoise", sNoise)
	}
}

// err joins the faults of a type into one error that names it.
func (f faults) err(of any) error {
	if len(f) == 0 {
		return nil
	}
	return fmt.Errorf("%T: %w", of, errors.Join(f...))
}
