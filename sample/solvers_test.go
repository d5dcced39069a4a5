package sample

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// TestSolversCoincide: members of one family are the same method, up to
// rounding, on a mixture where every step bends.
func TestSolversCoincide(t *testing.T) {
	with := func(solver string, set func(o *Settings)) Settings {
		o := deterministic(options(solver, 10))
		set(&o)
		return o
	}
	as := func(solver string) Settings { return with(solver, func(*Settings) {}) }
	for _, c := range []struct {
		name string
		a, b Settings
	}{
		{"euler-ancestral with eta 0 is euler", as("euler-ancestral"), as("euler")},
		{"dpm2-ancestral with eta 0 is dpm2", as("dpm2-ancestral"), as("dpm2")},
		{"dpmpp-sde with eta 0 is dpmpp-2s-ancestral with eta 0", as("dpmpp-sde"), as("dpmpp-2s-ancestral")},
		{"dpmpp-2m-sde with eta 0 is dpmpp-2m", as("dpmpp-2m-sde"), as("dpmpp-2m")},
		{"lms of order 1 is euler", with("lms", func(o *Settings) { o.Order = 1 }), as("euler")},
		{"one step of dpmpp-3m-sde is euler-ancestral's, with noise", with("dpmpp-3m-sde", func(o *Settings) { o.NumSteps, o.Eta = 2, 1 }),
			with("euler-ancestral", func(o *Settings) { o.NumSteps, o.Eta = 2, 1 })},
	} {
		den := mixture(t, 2, 0.3, 1, 0.2, -0.7, 0.9, 0.1, -1.1)
		seeds := []uint64{1, 2, 3, 4, 5}
		a, b := draw(t, mustNew(t, den, c.a), seeds, 2), draw(t, mustNew(t, den, c.b), seeds, 2)
		if e := rms(a, b); !(e <= 1e-12) {
			t.Errorf("%s: they differ by %g", c.name, e)
		}
	}
}

// TestAncestralSplit: the parts of a step add up to its end, and fresh noise is
// a fraction eta of what the posterior has.
func TestAncestralSplit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sigma := rapid.Float64Range(1e-3, 1e3).Draw(t, "sigma")
		next := sigma * rapid.Float64Range(1e-3, 1).Draw(t, "ratio")
		eta := rapid.Float64Range(0, 1).Draw(t, "eta")
		down, up := ancestral(sigma, next, eta)
		if !(math.Abs(down*down+up*up-next*next) <= 1e-14*next*next) {
			t.Errorf("%g and %g do not add up to %g", down, up, next)
		}
		posterior := next * math.Sqrt((sigma-next)*(sigma+next)) / sigma
		if !(math.Abs(up-eta*posterior) <= 1e-12*next) {
			t.Errorf("noise %g, want %g of %g", up, eta, posterior)
		}
	})
	if down, up := ancestral(5, 0, 1); down != 0 || up != 0 {
		t.Errorf("a step to 0 goes to %g and adds %g, want 0 and 0", down, up)
	}
}

// TestBrownianParts: a step's noise has the share of its early part that it has
// of the step in sigma.
func TestBrownianParts(t *testing.T) {
	for _, c := range []struct{ middle, early, late float64 }{
		{2, 0, 1}, {1.5, math.Sqrt(0.5), math.Sqrt(0.5)}, {1, 1, 0},
		{math.Nextafter(1, 0), 1, 0}, // a whole step, rounded past its end
	} {
		early, late := brownian(2, c.middle, 1)
		if !(math.Abs(early-c.early) <= 1e-15) || !(math.Abs(late-c.late) <= 1e-15) {
			t.Errorf("parted at %g: weights %g and %g, want %g and %g", c.middle, early, late, c.early, c.late)
		}
	}
}

// TestAdamsWeights: the weights integrate every polynomial of degree below their
// number exactly, whatever the steps.
func TestAdamsWeights(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, maxOrder).Draw(t, "n")
		at := make([]float64, n) // falling, the newest last
		last := 0.0
		for k := n - 1; k >= 0; k-- {
			last += rapid.Float64Range(0.1, 1).Draw(t, "step")
			at[k] = last
		}
		next := 0.0 // the newest level is one step above it
		weights := make([]float64, n)
		adamsWeights(weights, at, next)
		newest := at[n-1]
		for degree := range n {
			sum, size := 0.0, 0.0
			for k, w := range weights {
				term := w * math.Pow(at[n-1-k], float64(degree))
				sum, size = sum+term, size+math.Abs(term)
			}
			d := float64(degree + 1)
			want := (math.Pow(next, d) - math.Pow(newest, d)) / d
			if !(math.Abs(sum-want) <= 1e-12*size) {
				t.Errorf("degree %d over %v: %.15g, want %.15g", degree, at, sum, want)
			}
		}
	})
}
