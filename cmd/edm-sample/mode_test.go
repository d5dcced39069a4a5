package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// Every flag with a scope exists, and every flag has one or is of use in all
// modes.
func TestScopesNameFlags(t *testing.T) {
	flags := newCommand().Flags()
	for name, where := range scopes() {
		if flags.Lookup(name) == nil {
			t.Errorf("there is no flag --%s", name)
		}
		for _, m := range where {
			if !slices.Contains(modes(), m) {
				t.Errorf("--%s: no mode %q", name, m)
			}
		}
	}
	flags.VisitAll(func(f *pflag.Flag) {
		if _, ok := scopes()[f.Name]; !ok && !slices.Contains(modes(), f.Name) {
			t.Errorf("--%s has no scope", f.Name)
		}
	})
}

func TestModes(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"--toy 1d --compare heun", "--compare and --toy exclude each other"},
		{"--toy 1d --steps 3", "--steps has no effect with --toy"},
		{"--toy 1d --network x", "--network has no effect with --toy"},
		{"--toy 3d", `--toy is "3d", want 1d or 2d`},
		{"--budgets 8", "--budgets goes with --compare"},
		{"--mask x", "--mask goes with --inpaint"},
		{"--count 3", "--count goes with --likelihood or --invert"},
		{"--compare heun --steps 5", "--steps has no effect with --compare"},
		{"--compare heun --nfe 5", "--nfe has no effect with --compare"},
		{"--compare heun --budgets 0", "budget is 0 evaluations"},
		{"--compare heun --budgets 8,x", `"x" is no number`},
		{"--compare heun --tolerances 0", "tolerance is 0"},
		{"--compare heun --reference_steps 1", "reference of 1 steps"},
		{"--compare nosuch", `--compare: nosuch: sample: unknown solver`},
		{"--compare euler --alpha 0.5", "alpha is 0.5, which solver euler has no use for"},
		{"--nfe 8 --steps 3", "--nfe and --steps exclude each other"},
		{"--nfe 0", "--nfe is 0"},
		{"--nfe 1 --solver annealed-langevin", "--nfe: sample: 1 evaluations are too few"},
		{"--nfe 8 --solver adaptive-ode", "--nfe: solver adaptive-ode chooses its own steps"},
		{"--steps 8 --solver adaptive-ode", "steps is 8, but solver adaptive-ode chooses its own"},
		{"--rtol 0 --solver adaptive-ode", "rtol is 0"},
		{"--atol 0 --solver adaptive-sde", "atol is 0"},
		{"--S_churn 3 --solver dpmpp-2m", "S_churn is 3, which solver dpmpp-2m has no use for"},
		{"--eta 0.5 --solver heun", "eta is 0.5, which solver heun has no use for"},
		{"--schedule vp --solver dpmpp-2m", "schedule vp and scaling none have no effect"},
		{"--rho 5 --disc vp", "rho is 5, which steps vp have no use for"},
		{"--disc nosuch", `unknown steps "nosuch"`},
		{"--scaling nosuch", `scaling is "nosuch"`},
		{"--guidance nan", "guidance weight is NaN"},
		{"--guide x", "--guide has no effect without --guidance"},
		{"--guidance_low 1", "--guidance_low has no effect without --guidance"},
		{"--guidance 2 --guidance_low 3 --guidance_high 2", "guidance's upper sigma is 2"},
		{"--edit x", "--edit needs --strength"},
		{"--edit x --strength 0", "--strength is 0"},
		{"--edit x --strength 2 --sigma_max 3", "--sigma_max has no effect with --edit"},
		{"--inpaint x", "--inpaint needs --mask"},
		{"--trajectory x.mp4", `--trajectory is "x.mp4", want a file .gif, .png or .apng`},
		{"--likelihood demo --count 0", "--count is 0"},
		{"--likelihood demo --probes 0", "probes is 0"},
		{"--likelihood demo --solver euler", `solver is "euler", want rk4 or heun`},
		{"--likelihood demo --alpha 0.5", "--alpha has no effect with --likelihood"},
		{"--invert demo --probes 2", "--probes goes with --likelihood"},
		{"--likelihood=", "--likelihood is empty"},
	} {
		code, stdout, stderr := execute(strings.Fields(c.args)...)
		if code != 2 || !strings.Contains(stderr, c.want) || stdout != "" {
			t.Errorf("%s: exit status %d, prints %q and %q, want 2 and %q", c.args, code, stdout, stderr, c.want)
		}
	}
}
