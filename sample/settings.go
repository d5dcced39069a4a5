package sample

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"edm/model/noise"
)

// Settings names a solver, its noise levels and its constants, as a command line does;
// Options are the values behind the names. Constants that
// the solver has no use for must have the values of DefaultSettings: a setting
// without effect is an error, not silence. SettingsFor gives the published
// values of a solver.
type Settings struct {
	Solver   string // a name in Solvers
	NumSteps int    // N: steps, of one or more network evaluations each; 0 for adaptive solvers

	// The time steps and the process they belong to (EDM Table 1).
	Disc     string  // where the steps are, a name in Discretizations
	Schedule string  // sigma(t), a name in Schedules
	Scaling  string  // s(t), a name in Scalings
	SigmaMin float64 // lowest noise level above 0, in the units of the data
	SigmaMax float64 // noise level that sampling starts at, in the units of the data
	Rho      float64 // exponent of the steps edm (EDM Eq. 5) and polyexponential
	EpsilonS float64 // VP's last time, of Disc and Schedule "vp": sigma(EpsilonS) is SigmaMin

	Alpha float64 // place of the second evaluation of heun: 1 Heun, 2/3 Ralston, 1/2 midpoint (EDM App. D.3)

	// Churn (EDM Alg. 2).
	SChurn float64 // amount of fresh noise over the whole run; 0 is deterministic
	SMin   float64 // lowest noise level with fresh noise
	SMax   float64 // highest noise level with fresh noise; may be infinite
	SNoise float64 // standard deviation of the fresh noise, here and in ancestral and SDE solvers

	Eta  float64 // fresh noise of ancestral, DDIM and DPM++ SDE solvers as a fraction of the full amount
	Beta float64 // rate of the Langevin part of the general SDE, in units of sigma'/sigma; 1 is the original reverse SDE, 0 the ODE
	// BetaFunc is beta by noise level, in place of a constant Beta, which must
	// then be 0; nil for the constant.
	BetaFunc func(sigma float64) float64
	R        float64 // place of the inner evaluation of DPM++ SDE, as a fraction of the step in ln sigma
	Order    int     // highest order of multistep solvers

	// Langevin dynamics, alone and as corrector.
	Corrections int     // Langevin steps at each noise level
	SNR         float64 // size of a corrector step as a signal-to-noise ratio (score SDE, App. G)
	StepSize    float64 // epsilon of annealed Langevin dynamics at the lowest noise level (NCSN Alg. 1), in the units of the data squared

	// Adaptive solvers.
	RTol   float64 // relative tolerance of a step
	ATol   float64 // absolute tolerance of a step, in the units of the data
	MaxNFE int     // evaluations after which an adaptive solver gives up
}

// DefaultSettings returns the settings of EDM Table 1 and Alg. 1: 18 steps of
// Heun from 80 to 0.002 with rho 7, deterministic.
func DefaultSettings() Settings {
	return Settings{
		Solver: "heun", NumSteps: 18, Disc: "edm", Schedule: "linear", Scaling: "none",
		SigmaMin: 0.002, SigmaMax: 80, Rho: 7, EpsilonS: 1e-3, Alpha: 1,
		SMax: math.Inf(1), SNoise: 1,
	}
}

// SettingsFor returns the published settings of a solver: DefaultSettings with
// the solver's own constants.
func SettingsFor(name string) (Settings, error) {
	o := DefaultSettings()
	s, ok := solverByName(name)
	if !ok {
		return o, fmt.Errorf("sample: unknown solver %q, want one of %s", name, strings.Join(Solvers(), ", "))
	}
	o.Solver = name
	if s.adaptive() {
		o.NumSteps = 0
	}
	if s.defaults != nil {
		s.defaults(&o)
	}
	return o, nil
}

// SetDisc selects the placement of the steps and gives the noise range and the
// exponent their published values; that of "vp" ends at EpsilonS.
func (o *Settings) SetDisc(name string) error {
	d, ok := discretizationByName(name)
	if !ok {
		return fmt.Errorf("sample: unknown steps %q, want one of %s", name, strings.Join(Discretizations(), ", "))
	}
	o.Disc, o.SigmaMin, o.SigmaMax, o.Rho = name, d.sigmaMin, d.sigmaMax, d.rho
	if name == "vp" && o.EpsilonS > 0 && o.EpsilonS < 1 {
		o.SigmaMin = noise.DefaultVP().Sigma(o.EpsilonS)
	}
	return nil
}

// Validate reports every option that makes no sense or has no effect, joined
// into one error and named as on the command line.
func (o Settings) Validate() error {
	var f faults
	s, known := solverByName(o.Solver)
	f.check(known, "solver is %q, want one of %s", o.Solver, strings.Join(Solvers(), ", "))
	o.checkSteps(&f, s)
	if known {
		o.checkConstants(&f, s)
	}
	return errors.Join(f...)
}

// checkConstants reports constants that are impossible or without effect.
func (o *Settings) checkConstants(f *faults, s named) {
	before := len(*f)
	for _, c := range constants() {
		v := c.get(o)
		switch {
		case s.uses&c.use == 0:
			f.check(v == c.inert, "%s is %g, which solver %s has no use for; leave it out or choose %s",
				c.name, v, o.Solver, strings.Join(solversUsing(c.use), ", "))
		case !c.ok(v):
			f.check(false, "%s is %g, want %s", c.name, v, c.want)
		}
	}
	f.check(o.BetaFunc == nil || s.uses&useBeta != 0, "BetaFunc is set, which solver %s has no use for", o.Solver)
	f.check(o.BetaFunc == nil || o.Beta == 0, "beta is %g and BetaFunc is set; make beta 0 to use BetaFunc", o.Beta)
	o.checkStepSize(f, s)
	if s.uses&useChurn == 0 {
		if len(*f) == before && s.uses&useNoise != 0 && !s.stochastic(o) {
			f.check(o.SNoise == 1, "S_noise is %g, which has no effect without fresh noise; set eta or beta above 0", o.SNoise)
		}
		return
	}
	f.check(!(o.SMin > o.SMax), "S_min is %g, want at most S_max (%g)", o.SMin, o.SMax)
	if len(*f) == before && o.SChurn == 0 {
		quiet := o.SMin == 0 && math.IsInf(o.SMax, 1) && o.SNoise == 1
		f.check(quiet, "S_min, S_max and S_noise (%g, %g, %g) have no effect with S_churn 0: set S_churn, or leave them out", o.SMin, o.SMax, o.SNoise)
	}
}

// checkSteps reports the faults of the time axis.
func (o *Settings) checkSteps(f *faults, s named) {
	disc, knownDisc := discretizationByName(o.Disc)
	f.check(knownDisc, "disc is %q, want one of %s", o.Disc, strings.Join(Discretizations(), ", "))
	f.check(slices.Contains(Schedules(), o.Schedule), "schedule is %q, want one of %s", o.Schedule, strings.Join(Schedules(), ", "))
	f.check(slices.Contains(Scalings(), o.Scaling), "scaling is %q, want one of %s", o.Scaling, strings.Join(Scalings(), ", "))
	if s.adaptive() {
		f.check(o.NumSteps == 0, "steps is %d, but solver %s chooses its own: set its tolerances instead", o.NumSteps, o.Solver)
		f.check(o.Disc == "edm", "disc is %s, but solver %s chooses its own steps", o.Disc, o.Solver)
	} else {
		least := 1
		f.check(o.NumSteps >= least && o.NumSteps <= maxSteps, "steps is %d, want %d to %d", o.NumSteps, least, maxSteps)
	}
	if s.name != "" && s.uses&useProcess == 0 {
		plain := o.Schedule == "linear" && o.Scaling == "none"
		f.check(plain, "schedule %s and scaling %s have no effect: solver %s works on noise levels alone", o.Schedule, o.Scaling, o.Solver)
	}
	f.check(o.SigmaMin > 0 && finite(o.SigmaMin), "sigma_min is %g, want a finite number above 0", o.SigmaMin)
	f.check(o.SigmaMax > 0 && finite(o.SigmaMax), "sigma_max is %g, want a finite number above 0", o.SigmaMax)
	f.check(!(o.SigmaMin >= o.SigmaMax), "sigma_min is %g, want less than sigma_max (%g)", o.SigmaMin, o.SigmaMax)
	f.check(o.Rho > 0 && finite(o.Rho), "rho is %g, want a finite number above 0", o.Rho)
	f.check(!knownDisc || disc.usesRho || o.Rho == disc.rho, "rho is %g, which steps %s have no use for", o.Rho, o.Disc)
	if inert := DefaultSettings().EpsilonS; o.Disc != "vp" && o.Schedule != "vp" && o.EpsilonS > 0 && o.EpsilonS < 1 {
		f.check(o.EpsilonS == inert, "epsilon_s is %g, which has no effect without the disc or the schedule vp", o.EpsilonS)
	}
	f.check(o.EpsilonS > 0 && o.EpsilonS < 1, "epsilon_s is %g, want a number between 0 and 1", o.EpsilonS)
}

// checkStepSize reports a size with which the dynamics diverge.
func (o *Settings) checkStepSize(f *faults, s named) {
	if s.uses&useStepSize != 0 && o.SigmaMin > 0 {
		most := 4 * o.SigmaMin * o.SigmaMin
		f.check(!(o.StepSize >= most), "step_size is %g, want less than 4 sigma_min^2 (%g), from where the dynamics diverge", o.StepSize, most)
	}
}
