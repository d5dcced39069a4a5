package sample

import (
	"edm/model/noise"
	"math"
	"strings"
	"testing"
)

func TestDefaultsAreValid(t *testing.T) {
	if err := DefaultSettings().Validate(); err != nil {
		t.Error(err)
	}
	for _, name := range Discretizations() {
		o := DefaultSettings()
		if err := o.SetDisc(name); err != nil {
			t.Error(err)
		}
		if err := o.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range Solvers() {
		if err := churned(options(name, 1)).Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestVPEndsAtEpsilon: another last time keeps VP's published rate of noise.
func TestVPEndsAtEpsilon(t *testing.T) {
	for _, epsilon := range []float64{1e-4, 1e-3, 1e-2} {
		o := DefaultSettings()
		o.EpsilonS, o.Schedule, o.Scaling = epsilon, "vp", "vp"
		if err := o.SetDisc("vp"); err != nil {
			t.Fatal(err)
		}
		s := mustNew(t, anyRange(), o)
		rate := noise.FitVP(o.SigmaMin, o.SigmaMax, epsilon)
		if last := s.run.Times[o.NumSteps-1]; math.Abs(last/epsilon-1) > 1e-9 || math.Abs(rate.BetaD-19.9) > 1e-9 || math.Abs(rate.BetaMin-0.1) > 1e-9 {
			t.Errorf("epsilon_s %g: the last time is %g, the rate %+v", epsilon, last, rate)
		}
	}
}

func TestValidateFaults(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	cases := []struct {
		want string
		set  func(*Settings)
	}{
		{`solver is "hein", want one of euler, heun`, func(o *Settings) { o.Solver = "hein" }},
		{"steps is 0", func(o *Settings) { o.NumSteps = 0 }},
		{"steps is -1", func(o *Settings) { o.NumSteps = -1 }},
		{"steps is 1000001", func(o *Settings) { o.NumSteps = maxSteps + 1 }},
		{"sigma_min is 0", func(o *Settings) { o.SigmaMin = 0 }},
		{"sigma_min is NaN", func(o *Settings) { o.SigmaMin = nan }},
		{"sigma_max is +Inf", func(o *Settings) { o.SigmaMax = inf }},
		{"sigma_max is NaN", func(o *Settings) { o.SigmaMax = nan }},
		{"sigma_min is 80, want less than sigma_max (80)", func(o *Settings) { o.SigmaMin = 80 }},
		{`disc is "kerras", want one of edm, vp`, func(o *Settings) { o.Disc = "kerras" }},
		{`schedule is "cosine", want one of linear, ve, vp`, func(o *Settings) { o.Schedule = "cosine" }},
		{`scaling is "", want one of none, vp`, func(o *Settings) { o.Scaling = "" }},
		{"rho is 3, which steps exponential have no use for", func(o *Settings) { o.Disc, o.Rho = "exponential", 3 }},
		{"alpha is 0", func(o *Settings) { o.Alpha = 0 }},
		{"alpha is 0.5, which solver euler has no use for; leave it out or choose heun", func(o *Settings) { o.Solver, o.Alpha = "euler", 0.5 }},
		{"rtol is 0.1, which solver heun has no use for", func(o *Settings) { o.RTol = 0.1 }},
		{"S_noise (0, +Inf, 1.003) have no effect with S_churn 0", func(o *Settings) { o.SNoise = 1.003 }},
		{"S_noise is 1.1, which has no effect without fresh noise", func(o *Settings) { o.Solver, o.SNoise = "euler-ancestral", 1.1 }},
		{"eta is 0.5, which solver lms has no use for", func(o *Settings) { o.Solver, o.Order, o.Eta = "lms", 4, 0.5 }},
		{"order is 9, want 1 to 8", func(o *Settings) { o.Solver, o.Order = "lms", 9 }},
		{"schedule vp and scaling vp have no effect", func(o *Settings) { o.Solver, o.Schedule, o.Scaling = "dpmpp-2m", "vp", "vp" }},
		{"epsilon_s is 1", func(o *Settings) { o.EpsilonS = 1 }},
		{"epsilon_s is 0.01, which has no effect without the disc or the schedule vp", func(o *Settings) { o.EpsilonS = 0.01 }},
		{"rho is 0", func(o *Settings) { o.Rho = 0 }},
		{"rho is NaN", func(o *Settings) { o.Rho = nan }},
		{"S_churn is -1", func(o *Settings) { o.SChurn = -1 }},
		{"S_churn is +Inf", func(o *Settings) { o.SChurn = inf }},
		{"S_min is NaN", func(o *Settings) { o.SMin = nan }},
		{"S_min is -1", func(o *Settings) { o.SMin = -1 }},
		{"S_max is NaN", func(o *Settings) { o.SMax = nan }},
		{"S_min is 2, want at most S_max (1)", func(o *Settings) { o.SMin, o.SMax = 2, 1 }},
		{"S_noise is 0", func(o *Settings) { o.SNoise = 0 }},
		{"S_noise is NaN", func(o *Settings) { o.SNoise = nan }},
	}
	for _, c := range cases {
		o := DefaultSettings()
		c.set(&o)
		err := o.Validate()
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Validate = %v, want it to say %q", err, c.want)
		} else if n := strings.Count(err.Error(), "\n"); n > 0 {
			t.Errorf("one fault is reported in %d lines: %v", n+1, err)
		}
		if _, err := NewNamed(anyRange(), o); err == nil {
			t.Errorf("New accepted what %q is about", c.want)
		}
	}
}

func TestValidateReportsEveryFault(t *testing.T) {
	err := Settings{Solver: "heun", NumSteps: 0, SigmaMin: -1, SigmaMax: -2, Rho: -1, SChurn: -1, SMin: -1, SMax: -2, SNoise: -1}.Validate()
	if err == nil {
		t.Fatal("no error")
	}
	for _, name := range []string{"steps", "disc", "schedule", "scaling", "alpha", "epsilon_s", "sigma_min", "sigma_max", "rho", "S_churn", "S_min", "S_max", "S_noise"} {
		if !strings.Contains(err.Error(), name+" is ") {
			t.Errorf("no word of %s in:\n%v", name, err)
		}
	}
}
