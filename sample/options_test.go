package sample

import (
	"math"
	"slices"
	"strings"
	"testing"

	"edm/model/noise"
)

// defaults returns every solver with its published constants.
func defaults(t *testing.T) []Options {
	t.Helper()
	var all []Options
	for _, name := range Solvers() {
		o, err := options(name, 6).Options()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, o)
	}
	return all
}

// TestConstructors: the published constants of a solver's own constructor are those of
// its name.
func TestConstructors(t *testing.T) {
	made := map[string]Solver{
		"heun": DefaultHeun(), "lms": DefaultLMS(), "euler-ancestral": DefaultEulerAncestral(), "dpm2-ancestral": DefaultDPM2Ancestral(),
		"dpmpp-2s-ancestral": DefaultDPMPP2SAncestral(), "dpmpp-sde": DefaultDPMPPSDE(), "dpmpp-2m-sde": DefaultDPMPP2MSDE(),
		"dpmpp-3m-sde": DefaultDPMPP3MSDE(), "ddpm": DefaultDDPM(), "predictor-corrector": DefaultPredictorCorrector(),
		"annealed-langevin": NCSN().Solver, "adaptive-ode": DefaultAdaptiveODE(),
	}
	for name, want := range made {
		o, err := SettingsFor(name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := o.Options()
		if err != nil {
			t.Fatal(err)
		}
		if got.Solver != want {
			t.Errorf("%s: %+v by name, %+v by its constructor", name, got.Solver, want)
		}
	}
	named, err := DefaultSettings().Options()
	if err != nil {
		t.Fatal(err)
	}
	if own := EDM(); named.Solver != own.Solver || named.Levels != own.Levels || named.NumSteps != own.NumSteps {
		t.Errorf("%+v by name, %+v by EDM", named, own)
	}
}

func TestOptionsFaults(t *testing.T) {
	good := EDM()
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	with := func(change func(o *Options)) Options {
		o := EDM()
		change(&o)
		return o
	}
	solver := func(s Solver) Options { return with(func(o *Options) { o.Solver = s }) }
	levels := func(l Levels) Options { return with(func(o *Options) { o.Levels = l }) }
	for want, o := range map[string]Options{
		"Solver is nil":                         solver(nil),
		"Levels is nil":                         levels(nil),
		"NumSteps is 0":                         with(func(o *Options) { o.NumSteps = 0 }),
		"NumSteps is 18, but sample.AdaptiveOD": solver(DefaultAdaptiveODE()),
		"sample.Heun: Alpha is 0":               solver(Heun{}),
		"sample.Heun: Alpha is 1.5":             solver(Heun{Alpha: 1.5}),
		"Churn.Amount is -1":                    solver(Euler{Churn{Amount: -1}}),
		"Churn.Noise is 0":                      solver(Euler{Churn{Amount: 1, Max: 1}}),
		"Churn.Min is 2, want at most Churn.Ma": solver(Euler{Churn{Amount: 1, Min: 2, Max: 1, Noise: 1}}),
		"Churn.Max is NaN":                      solver(DPM2{Churn: Churn{Amount: 1, Max: math.NaN(), Noise: 1}}),
		"sample.LMS: Order is 0":                solver(LMS{}),
		"sample.LMS: Order is 9":                solver(LMS{Order: 9}),
		"sample.DDIM: Eta is 2":                 solver(DDIM{Eta: 2, SNoise: 1}),
		"sample.DDIM: SNoise is 0":              solver(DDIM{Eta: 1}),
		"sample.DDPM: SNoise is 0":              solver(DDPM{}),
		"sample.DPMPPSDE: R is 0":               solver(DPMPPSDE{Eta: 1, SNoise: 1}),
		"sample.DPMPP2MSDE: Eta is -1":          solver(DPMPP2MSDE{Eta: -1}),
		"sample.DPMPP3MSDE: Eta is NaN":         solver(DPMPP3MSDE{Eta: math.NaN()}),
		"sample.SDEHeun: SNoise is 0":           solver(SDEHeun{Beta: ConstantRate(1)}),
		"sample.SDEEuler: SNoise is +Inf":       solver(SDEEuler{Beta: ConstantRate(1), SNoise: math.Inf(1)}),
		"sample.PredictorCorrector: Correction": solver(PredictorCorrector{SNR: 1, SNoise: 1}),
		"sample.AnnealedLangevin: StepSize is ": solver(AnnealedLangevin{Corrections: 1, SNoise: 1}),
		"sample.AdaptiveSDE: RTol is 0":         with(func(o *Options) { o.NumSteps, o.Solver = 0, AdaptiveSDE{} }),
		"sample.Karras: Rho is 0":               levels(Karras{Min: 1, Max: 2}),
		"sample.Karras: Min is 3, want less":    levels(Karras{Min: 3, Max: 2, Rho: 7}),
		"sample.Geometric: Max is +Inf":         levels(Geometric{Min: 1, Max: math.Inf(1)}),
		"sample.PolyExponential: Rho is -1":     levels(PolyExponential{Min: 1, Max: 2, Rho: -1}),
		"sample.LinearLevels: Min is 0":         levels(LinearLevels{Max: 2}),
		"sample.IDDPMLevels: Min is NaN":        levels(IDDPMLevels{Min: math.NaN(), Max: 2}),
		"sample.VPLevels: EpsilonS is 1":        levels(VPLevels{Min: 1, Max: 2, EpsilonS: 1}),
		"sample.FittedVP: EpsilonS is 0":        with(func(o *Options) { o.Process.Schedule = FittedVP{} }),
		"has no effect: sample.DPMPP2M works o": with(func(o *Options) { o.Solver, o.Process.Scaling = DPMPP2M{}, noise.VPScaling{} }),
	} {
		if err := o.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want an error that says %q", o, err, want)
		}
		if _, err := New(anyRange(), o); err == nil {
			t.Errorf("%+v makes a sampler", o)
		}
	}
	// Named explicitly, EDM's process is no other.
	plain := with(func(o *Options) { o.Solver, o.Process = DPMPP2M{}, Process{noise.Linear{}, noise.Unscaled{}} })
	if err := plain.Validate(); err != nil {
		t.Error(err)
	}
}

// TestStepsWithin: the steps are the most that a budget allows.
func TestStepsWithin(t *testing.T) {
	for _, o := range defaults(t) {
		if o.NumSteps == 0 {
			if _, err := StepsWithin(o.Solver, 100); err == nil {
				t.Errorf("%T has no fixed number of evaluations, want an error", o.Solver)
			}
			continue
		}
		least := o.Solver.Evaluations(1)
		if _, err := StepsWithin(o.Solver, least-1); err == nil {
			t.Errorf("%T: %d evaluations are enough", o.Solver, least-1)
		}
		for _, nfe := range []int{least, least + 1, least + 37, 10*least + 5} {
			n, err := StepsWithin(o.Solver, nfe)
			if err != nil || o.Solver.Evaluations(n) > nfe || o.Solver.Evaluations(n+1) <= nfe {
				t.Errorf("%T: %d steps for %d evaluations (%v)", o.Solver, n, nfe, err)
			}
		}
	}
}

// fixedLevels is a placement that knows no range.
type fixedLevels []float64

func (l fixedLevels) Sigmas(n int) []float64 {
	if n == 2 && len(l) > 1 {
		return []float64{l[0], l[len(l)-1]}
	}
	return l
}

// TestLevelsOfOthers: a placement of another module is clipped to the network's range
// level by level, with a note for each end, and must fall.
func TestLevelsOfOthers(t *testing.T) {
	den := fake{min: 0.1, max: 10}
	o := EDM()
	o.Levels, o.NumSteps = fixedLevels{20, 12, 5, 1, 0.05}, 5
	s, err := New(den, o)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := s.Sigmas(), []float64{10, 5, 1, 0.1, 0}; !slices.Equal(got, want) {
		t.Errorf("levels %v, want %v", got, want)
	}
	if notes := strings.Join(s.Notes(), "\n"); !strings.Contains(notes, "raised to 0.1") || !strings.Contains(notes, "lowered to 10") || !strings.Contains(notes, "5 steps become 4") {
		t.Errorf("notes %q", notes)
	}
	for want, l := range map[string]fixedLevels{
		"has no noise levels": nil, "want falling levels": {1, 2, 3, 0.5}, "lie outside the network's": {200, 100},
	} {
		o.Levels = l
		if _, err := New(den, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want an error that says %q", l, err, want)
		}
	}
}

// TestRanged: a placement of the package fills the part of its range that the network
// knows.
func TestRanged(t *testing.T) {
	den := fake{min: 0.01, max: 70}
	for _, l := range []Levels{
		DefaultKarras(), DefaultGeometric(), PolyExponential{0.002, 80, 1}, LinearLevels{0.002, 80}, DefaultVPLevels(), DefaultIDDPMLevels(),
	} {
		s, err := New(den, Options{Solver: Euler{}, NumSteps: 5, Levels: l})
		if err != nil {
			t.Fatal(err)
		}
		sigmas := s.Sigmas()
		low, _ := l.(Ranged).Range()
		exact := sigmas[0] == 70 && sigmas[4] == max(low, 0.01)
		if _, table := l.(IDDPMLevels); !exact && !table || sigmas[0] > 70 || sigmas[4] < 0.01 || len(s.Notes()) == 0 {
			t.Errorf("%T: levels %v, notes %q", l, sigmas, s.Notes())
		}
	}
}

// TestFittedVP: the schedule fits the range that is left after clipping.
func TestFittedVP(t *testing.T) {
	o := Options{Solver: Heun{Alpha: 1}, NumSteps: 4, Levels: DefaultKarras(), Process: Process{Schedule: DefaultFittedVP()}}
	s, err := New(fake{min: 0.01, max: 50}, o)
	if err != nil {
		t.Fatal(err)
	}
	if first, last := s.run.Times[0], s.run.Times[3]; math.Abs(first-1) > 1e-9 || math.Abs(last-1e-3) > 1e-9 {
		t.Errorf("times from %g to %g, want 1 to 0.001", first, last)
	}
}

// TestStepSizeOfTheLowestLevel: Langevin dynamics that would diverge are refused.
func TestStepSizeOfTheLowestLevel(t *testing.T) {
	o := NCSN()
	o.Levels = Geometric{Min: 0.001, Max: 2}
	if _, err := New(anyRange(), o); err == nil || !strings.Contains(err.Error(), "from where the dynamics diverge") {
		t.Errorf("%v, want an error that says so", err)
	}
}
