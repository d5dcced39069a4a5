package main

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"edm/sample"
)

// Nothing asked for is the default of the paper.
func TestDesignDefault(t *testing.T) {
	got, err := design{}.options()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sample.DefaultSettings(), got); diff != "" {
		t.Error(diff)
	}
}

// Values come from the solver, then the steps, then what was asked for, in
// whatever order it was.
func TestDesignOrder(t *testing.T) {
	got, err := design{"rho": "1.5", discName: "polyexponential", solverName: "ddim", "sigma_max": "60", "eta": "0.25"}.options()
	if err != nil {
		t.Fatal(err)
	}
	want, err := sample.SettingsFor("ddim")
	if err != nil {
		t.Fatal(err)
	}
	if err := want.SetDisc("polyexponential"); err != nil {
		t.Fatal(err)
	}
	want.Rho, want.SigmaMax, want.Eta = 1.5, 60, 0.25
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for d, fault := range map[string]design{`"x"`: {solverName: "x"}, `"y"`: {discName: "y"}} {
		if _, err := fault.options(); err == nil || !strings.Contains(err.Error(), d) {
			t.Errorf("%v: error %v", fault, err)
		}
	}
}

// Every option of the sampler is a setting that reads back what was set.
func TestSettingsCoverOptions(t *testing.T) {
	var o sample.Settings
	seen := map[string]bool{}
	for _, s := range settings() {
		text := map[string]string{"name": "word", "number": "3"}[s.kind]
		if err := s.set(&o, text); err != nil || s.get(&o) != text {
			t.Errorf("%s: %q came back for %q (%v)", s.name, s.get(&o), text, err)
		}
		if seen[s.name] {
			t.Errorf("%s is there twice", s.name)
		}
		seen[s.name] = true
		if s.kind == "number" && s.set(&o, "x") == nil {
			t.Errorf("%s takes x for a number", s.name)
		}
	}
	want := sample.Settings{
		Solver: "word", NumSteps: 3, Disc: "word", Schedule: "word", Scaling: "word", SigmaMin: 3, SigmaMax: 3, Rho: 3,
		EpsilonS: 3, Alpha: 3, SChurn: 3, SMin: 3, SMax: 3, SNoise: 3, Eta: 3, Beta: 3, R: 3, Order: 3,
		Corrections: 3, SNR: 3, StepSize: 3, RTol: 3, ATol: 3, MaxNFE: 3,
	}
	if diff := cmp.Diff(want, o); diff != "" {
		t.Error(diff)
	}
}

func TestSplitEntries(t *testing.T) {
	for _, c := range []struct{ lists, want []string }{
		{[]string{"heun"}, []string{"heun"}},
		{[]string{"heun,euler; rk4 ddim"}, []string{"heun", "euler", "rk4", "ddim"}},
		{[]string{"heun:alpha=0.5,disc=vp,euler"}, []string{"heun:alpha=0.5,disc=vp", "euler"}},
		{[]string{"heun:alpha=0.5,disc=vp", "euler"}, []string{"heun:alpha=0.5,disc=vp", "euler"}},
		{[]string{"ddim:eta=1 disc=vp heun"}, []string{"ddim:eta=1,disc=vp", "heun"}},
		{[]string{"euler,rho=5,heun:rho=3"}, []string{"euler:rho=5", "heun:rho=3"}},
		{[]string{" ,; "}, nil},
	} {
		if diff := cmp.Diff(c.want, splitEntries(c.lists)); diff != "" {
			t.Errorf("%q:\n%s", c.lists, diff)
		}
	}
}

func TestParseEntries(t *testing.T) {
	entries, err := parseEntries([]string{"heun:alpha=0.5,disc=vp euler:rho=5"}, design{"sigma_max": "70", "rho": "7"})
	if err != nil {
		t.Fatal(err)
	}
	heun, euler := entries[0].Options, entries[1].Options
	if heun.Alpha != 0.5 || heun.Disc != "vp" || heun.SigmaMax != 70 || math.Abs(heun.SigmaMin-0.0104860) > 1e-6 {
		t.Errorf("heun has %+v", heun)
	}
	if euler.Rho != 5 || euler.SigmaMax != 70 || euler.Disc != "edm" || entries[1].Name != "euler:rho=5" {
		t.Errorf("%s has %+v", entries[1].Name, euler)
	}
	for text, want := range map[string]string{
		"":                "--compare is empty",
		"heun:":           "",
		"nosuch":          `unknown solver "nosuch"`,
		"heun:alpha":      `"alpha" is no setting`,
		"heun:alpha=":     `"alpha=" is no setting`,
		"heun:alpha=x":    `alpha: "x" is no number`,
		"heun:alpha=2":    "alpha is 2, want a number above 0",
		"heun:nosuch=1":   `unknown setting "nosuch"`,
		"heun:solver=rk4": `unknown setting "solver"`,
		"heun:steps=3":    "steps come from --budgets",
		"euler:alpha=0.5": "alpha is 0.5, which solver euler has no use for",
		"rk4:S_churn=1":   "S_churn is 1, which solver rk4 has no use for",
		"heun,heun":       "heun is there twice",
		"nosuch,none":     `unknown solver "none"`,
		"alpha=0.5":       `unknown solver "alpha=0.5"`,
	} {
		_, err := parseEntries([]string{text}, design{})
		if (err == nil) != (want == "") || (err != nil && !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: error %v, want %q", text, err, want)
		}
	}
}

// What an image's file says is what the command needs to make it again.
func TestSamplerTexts(t *testing.T) {
	for _, solver := range sample.Solvers() {
		o, err := design{solverName: solver}.options()
		if err != nil {
			t.Fatal(err)
		}
		again := design{}
		for _, text := range samplerTexts(o) {
			again[text.Key] = text.Value
		}
		got, err := again.options()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(o, got); diff != "" {
			t.Errorf("%s: the texts %v lose something:\n%s", solver, again, diff)
		}
	}
}

// Where VP ends decides its range: the published rate of noise stays.
func TestDesignOfVP(t *testing.T) {
	for epsilon, want := range map[string]float64{"0.001": 0.010486, "0.01": 0.0446877} {
		o, err := design{discName: "vp", "schedule": "vp", "epsilon_s": epsilon}.options()
		if err != nil || o.Validate() != nil {
			t.Fatal(err, o.Validate())
		}
		if math.Abs(o.SigmaMin/want-1) > 1e-4 {
			t.Errorf("epsilon_s %s: sigma_min %g, want %g", epsilon, o.SigmaMin, want)
		}
	}
	if o, err := (design{discName: "vp", "epsilon_s": "0.01", "sigma_min": "0.02"}).options(); err != nil || o.SigmaMin != 0.02 {
		t.Errorf("sigma_min %g, want the one asked for (%v)", o.SigmaMin, err)
	}
}
