package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"edm/sample"
)

// setting is one option of the sampler, as a flag and as key=value of
// --compare.
type setting struct {
	name, usage string
	kind        string // the word for the value in the help text
	set         func(o *sample.Settings, text string) error
	get         func(o *sample.Settings) string
}

func number(name, usage string, at func(*sample.Settings) *float64) setting {
	return setting{
		name: name, usage: usage, kind: "number",
		set: func(o *sample.Settings, text string) error {
			v, err := strconv.ParseFloat(text, 64)
			if err != nil {
				return fmt.Errorf("%q is no number", text)
			}
			*at(o) = v
			return nil
		},
		get: func(o *sample.Settings) string { return strconv.FormatFloat(*at(o), 'g', -1, 64) },
	}
}

func count(name, usage string, at func(*sample.Settings) *int) setting {
	return setting{
		name: name, usage: usage, kind: "number",
		set: func(o *sample.Settings, text string) error {
			v, err := strconv.Atoi(text)
			if err != nil {
				return fmt.Errorf("%q is no whole number", text)
			}
			*at(o) = v
			return nil
		},
		get: func(o *sample.Settings) string { return strconv.Itoa(*at(o)) },
	}
}

func word(name, usage string, at func(*sample.Settings) *string) setting {
	return setting{
		name: name, usage: usage, kind: "name",
		set: func(o *sample.Settings, text string) error { *at(o) = text; return nil },
		get: func(o *sample.Settings) string { return *at(o) },
	}
}

// Settings that resolve treats on their own.
const (
	solverName = "solver"
	discName   = "disc"
	stepsName  = "steps"
)

// settings lists the options of the sampler in the order of the help text.
func settings() []setting {
	type options = sample.Settings
	oneOf := func(names []string) string { return strings.Join(names, ", ") }
	return []setting{
		word(solverName, "`name` of the solver, listed above (default heun)", func(o *options) *string { return &o.Solver }),
		count(stepsName, "sampling `steps` (default 18; adaptive solvers choose their own)", func(o *options) *int { return &o.NumSteps }),
		word(discName, "`name` of the placement of the steps: "+oneOf(sample.Discretizations())+" (default edm)", func(o *options) *string { return &o.Disc }),
		word("schedule", "`name` of the noise schedule sigma(t): "+oneOf(sample.Schedules())+" (default linear)", func(o *options) *string { return &o.Schedule }),
		word("scaling", "`name` of the signal's scaling s(t): "+oneOf(sample.Scalings())+" (default none)", func(o *options) *string { return &o.Scaling }),
		number("sigma_min", "lowest noise `level`, in the units of the data, [-1, 1] (default 0.002; each --disc has its own)", func(o *options) *float64 { return &o.SigmaMin }),
		number("sigma_max", "noise `level` to start at, in the units of the data (default 80; each --disc has its own)", func(o *options) *float64 { return &o.SigmaMax }),
		number("rho", "`exponent` of the steps edm (EDM Eq. 5) and polyexponential (default 7; polyexponential 1)", func(o *options) *float64 { return &o.Rho }),
		number("epsilon_s", "last `time` of VP (default 0.001)", func(o *options) *float64 { return &o.EpsilonS }),
		number("alpha", "second-order methods: `place` of the second evaluation; 1 Heun, 0.6667 Ralston, 0.5 midpoint (default 1)", func(o *options) *float64 { return &o.Alpha }),
		number("S_churn", "`amount` of fresh noise over all steps (EDM Alg. 2); 0 is deterministic (default 0)", func(o *options) *float64 { return &o.SChurn }),
		number("S_min", "lowest noise `level` with fresh noise (default 0)", func(o *options) *float64 { return &o.SMin }),
		number("S_max", "highest noise `level` with fresh noise (default +Inf)", func(o *options) *float64 { return &o.SMax }),
		number("S_noise", "standard `deviation` of fresh noise, also of ancestral and SDE solvers (default 1)", func(o *options) *float64 { return &o.SNoise }),
		number("eta", "ancestral, DDIM and DPM++ SDE: fresh noise as a `fraction` of the full amount", func(o *options) *float64 { return &o.Eta }),
		number("beta", "general SDE: `rate` of its Langevin part; 1 is the reverse SDE, 0 the ODE", func(o *options) *float64 { return &o.Beta }),
		number("r", "DPM++ SDE: place of the inner evaluation, a `fraction` of the step", func(o *options) *float64 { return &o.R }),
		count("order", "multistep solvers: highest `order`", func(o *options) *int { return &o.Order }),
		count("corrections", "Langevin `steps` at each noise level", func(o *options) *int { return &o.Corrections }),
		number("snr", "predictor-corrector: size of a correction as a signal-to-noise `ratio`", func(o *options) *float64 { return &o.SNR }),
		number("step_size", "annealed Langevin dynamics: `step` at the lowest noise level", func(o *options) *float64 { return &o.StepSize }),
		number("rtol", "adaptive solvers: relative `tolerance` of a step", func(o *options) *float64 { return &o.RTol }),
		number("atol", "adaptive solvers: absolute `tolerance` of a step, in the units of the data", func(o *options) *float64 { return &o.ATol }),
		count("max_nfe", "adaptive solvers: `evaluations` after which to give up", func(o *options) *int { return &o.MaxNFE }),
	}
}

func settingByName(name string) (setting, bool) {
	all := settings()
	i := slices.IndexFunc(all, func(s setting) bool { return s.name == name })
	if i < 0 {
		return setting{}, false
	}
	return all[i], true
}

// design is a point of the design space as it is asked for: values by the names
// of settings.
type design map[string]string

// set adds a value, given that its text can be one.
func (d design) set(s setting, text string) error {
	var scratch sample.Settings
	if err := s.set(&scratch, text); err != nil {
		return err
	}
	d[s.name] = text
	return nil
}

// over returns d with the values of base where it has none.
func (d design) over(base design) design {
	both := maps.Clone(base)
	maps.Copy(both, d)
	return both
}

// options returns the sampler's options: the published values of the solver,
// then those of the steps, then what was asked for. Only unknown names are
// errors; the result may be invalid.
func (d design) options() (sample.Settings, error) {
	name, ok := d[solverName]
	if !ok {
		name = sample.DefaultSettings().Solver
	}
	o, err := sample.SettingsFor(name)
	for _, s := range settings() { // where VP ends decides its range
		if text, ok := d[s.name]; ok && s.name == "epsilon_s" {
			err = errors.Join(err, s.set(&o, text))
		}
	}
	if disc, ok := d[discName]; ok {
		err = errors.Join(err, o.SetDisc(disc))
	}
	if err != nil {
		return o, err
	}
	for _, s := range settings() {
		if text, ok := d[s.name]; ok {
			if err := s.set(&o, text); err != nil {
				return o, fmt.Errorf("%s: %w", s.name, err)
			}
		}
	}
	return o, nil
}

// bind makes flags set d.
func (d design) bind(f *pflag.FlagSet) {
	for _, s := range settings() {
		f.Var(&settingFlag{s, d}, s.name, s.usage)
	}
}

// settingFlag is the value of a flag.
type settingFlag struct {
	setting
	design design
}

// String returns the value as it was given; "" if it was not.
func (v *settingFlag) String() string { return v.design[v.name] }

// Type returns the word that the help text has for the value.
func (v *settingFlag) Type() string { return v.kind }

// Set checks and keeps a value.
func (v *settingFlag) Set(text string) error { return v.design.set(v.setting, text) }
