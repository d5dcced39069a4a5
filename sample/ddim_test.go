package sample

import (
	"context"
	"math"
	"slices"
	"testing"
)

// TestDDPMIsItsPaper holds ddpm and ddim to the formulas of their papers, which
// work on the state that has the scale sqrt(alphaBar) = 1/sqrt(1 + sigma^2).
func TestDDPMIsItsPaper(t *testing.T) {
	for _, c := range []struct {
		solver string
		eta    float64
		step   func(x, denoised, n, before, after, eta float64) float64
	}{
		{"ddpm", 0, ddpmFormula},
		{"ddim", 0, ddimFormula}, {"ddim", 0.3, ddimFormula}, {"ddim", 1, ddimFormula},
		{"ddim", 1, ddpmFormula}, // eta = 1 is DDPM
	} {
		const dim = 3
		den := mixture(t, dim, 0.3, 1, 0, -1, -0.5, 0.8, 0.2)
		o := options(c.solver, 12)
		o.Eta = c.eta
		s := mustNew(t, den, o)
		seeds := []uint64{1, 2, 3, 4}
		got, want := draw(t, s, seeds, dim), make([]float64, len(seeds)*dim)
		if err := Latents(want, seeds, dim); err != nil {
			t.Fatal(err)
		}
		alphaBar := func(i int) float64 { return 1 / (1 + s.run.Sigmas[i]*s.run.Sigmas[i]) }
		for j := range want {
			want[j] *= math.Sqrt(1 - alphaBar(0))
		}
		unscaled, denoised, n := make([]float64, len(want)), make([]float64, len(want)), make([]float64, len(want))
		for i := range o.NumSteps {
			for j, v := range want {
				unscaled[j] = v / math.Sqrt(alphaBar(i))
			}
			if err := den.Denoise(context.Background(), denoised, unscaled, s.run.Sigmas[i], nil); err != nil {
				t.Fatal(err)
			}
			if err := SeedNoise(seeds, dim)(n, uint64(i)); err != nil {
				t.Fatal(err)
			}
			for j := range want {
				want[j] = c.step(want[j], denoised[j], n[j], alphaBar(i), alphaBar(i+1), c.eta)
			}
		}
		for j := range want {
			if !(math.Abs(got[j]-want[j]) <= 1e-10) {
				t.Errorf("%s with eta %g: x[%d] = %.15g, want %.15g", c.solver, c.eta, j, got[j], want[j])
			}
		}
	}
}

// ddpmFormula is DDPM Alg. 2 with Eq. 11 and the variance beta-tilde of Eq. 7, on
// the epsilon that the denoised image means. before and after are the step's
// alphaBar.
func ddpmFormula(x, denoised, n, before, after, _ float64) float64 {
	alpha := before / after
	beta := 1 - alpha
	epsilon := (x - math.Sqrt(before)*denoised) / math.Sqrt(1-before)
	mean := (x - beta/math.Sqrt(1-before)*epsilon) / math.Sqrt(alpha)
	return mean + math.Sqrt((1-after)/(1-before)*beta)*n
}

// ddimFormula is DDIM Eq. 12 with the sigma of Eq. 16.
func ddimFormula(x, denoised, n, before, after, eta float64) float64 {
	epsilon := (x - math.Sqrt(before)*denoised) / math.Sqrt(1-before)
	sigma := eta * math.Sqrt((1-after)/(1-before)) * math.Sqrt(1-before/after)
	return math.Sqrt(after)*denoised + math.Sqrt(max(1-after-sigma*sigma, 0))*epsilon + sigma*n
}

// TestDDIMRelations: eta 0 is euler, to rounding, and ddim with eta 1, ddpm and
// euler-ancestral are one sampler.
func TestDDIMRelations(t *testing.T) {
	den := mixture(t, 2, 0.3, 1, 0, -1, 0.5)
	seeds := []uint64{4, 5, 6}
	sampled := func(solver string, eta float64) []float64 {
		o := options(solver, 18)
		o.Eta = eta
		return draw(t, mustNew(t, den, o), seeds, 2)
	}
	ddpm := sampled("ddpm", 0)
	if got := sampled("ddim", 1); !slices.Equal(got, ddpm) {
		t.Errorf("ddim with eta 1 gives %v, ddpm %v", got, ddpm)
	}
	if got := sampled("euler-ancestral", 1); !slices.Equal(got, ddpm) {
		t.Errorf("euler-ancestral with eta 1 gives %v, ddpm %v", got, ddpm)
	}
	ddim, euler := sampled("ddim", 0), sampled("euler", 0)
	for j := range ddim {
		if !(math.Abs(ddim[j]-euler[j]) <= 1e-11) {
			t.Errorf("x[%d] is %.15g by ddim with eta 0, %.15g by euler", j, ddim[j], euler[j])
		}
	}
	if slices.Equal(ddim, ddpm) {
		t.Error("eta has no effect")
	}
}
