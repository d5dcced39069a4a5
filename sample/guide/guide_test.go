package guide_test

import (
	"context"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"edm/internal/gmm"
	"edm/internal/rng"
	"edm/sample"
	"edm/sample/guide"
)

const dim, classes = 2, 3

func testClasses(t testing.TB) *gmm.Classes {
	t.Helper()
	c, err := gmm.NewClasses([]float64{0.5, -1, 2, 0.3, -1.5, 0.7}, dim, 0.4)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func weight(w float64) guide.Options {
	o := guide.DefaultOptions()
	o.Weight = w
	return o
}

func oneHot(class ...int) []float32 {
	labels := make([]float32, classes*len(class))
	for i, k := range class {
		labels[classes*i+k] = 1
	}
	return labels
}

func must(t testing.TB) func(guide.Denoiser, error) guide.Denoiser {
	return func(d guide.Denoiser, err error) guide.Denoiser {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
}

// plain hides every method but those of a sample.Denoiser.
type plain struct{ sample.Denoiser }

// counted counts the calls of a denoiser and the images of the last one.
type counted struct {
	*gmm.Classes
	calls, rows int
}

func (c *counted) Denoise(ctx context.Context, dst, x []float64, sigma float64, labels []float32) error {
	c.calls++
	c.rows = len(x) / dim
	return c.Classes.Denoise(ctx, dst, x, sigma, labels)
}

func (c *counted) DenoiseRows(ctx context.Context, dst, x, sigmas []float64, labels []float32) error {
	c.calls++
	c.rows = len(x) / dim
	return c.Classes.DenoiseRows(ctx, dst, x, sigmas, labels)
}

// TestGuidedScore: D of classifier-free and of classifier guidance is x + sigma^2
// times the gradient of ln p(x) + w ln p(class | x), here by differences of the
// closed-form densities.
func TestGuidedScore(t *testing.T) {
	c := testClasses(t)
	rapid.Check(t, func(t *rapid.T) {
		w := rapid.Float64Range(-1, 6).Draw(t, "w")
		k := rapid.IntRange(0, classes-1).Draw(t, "class")
		sigma := math.Exp(rapid.Float64Range(-1.5, 3).Draw(t, "ln sigma"))
		x := []float64{rapid.Float64Range(-3, 3).Draw(t, "x"), rapid.Float64Range(-3, 3).Draw(t, "y")}
		free, err := guide.NewClassifierFree(c, weight(w))
		if err != nil {
			t.Fatal(err)
		}
		byClassifier, err := guide.NewClassifier(guide.WithoutLabels(c), c, weight(w))
		if err != nil {
			t.Fatal(err)
		}
		logP := func(x []float64) float64 {
			var class, all [1]float64
			if err := c.Class(k).LogDensity(class[:], x, sigma); err != nil {
				t.Fatal(err)
			}
			if err := c.Mixture().LogDensity(all[:], x, sigma); err != nil {
				t.Fatal(err)
			}
			return all[0] + w*(class[0]-all[0])
		}
		want, h := make([]float64, dim), 1e-4*sigma
		for j := range x {
			up, down := slices.Clone(x), slices.Clone(x)
			up[j] += h
			down[j] -= h
			want[j] = x[j] + sigma*sigma*(logP(up)-logP(down))/(2*h)
		}
		for name, d := range map[string]guide.Denoiser{"classifier-free": free, "classifier": byClassifier} {
			got := make([]float64, dim)
			if err := d.Denoise(context.Background(), got, x, sigma, oneHot(k)); err != nil {
				t.Fatal(err)
			}
			for j := range got {
				if tol := 1e-6 * (1 + sigma); !(math.Abs(got[j]-want[j]) <= tol) {
					t.Errorf("%s: D[%d] is %.12g, want %.12g within %.1g", name, j, got[j], want[j], tol)
				}
			}
		}
	})
}

// A good and a bad network of Gaussian data: the guided ODE has a solution,
//
//	x(sigma) proportional to (s_m^2 + sigma^2)^(w/2) (s_g^2 + sigma^2)^((1-w)/2)
//
// inside the interval and with w = 1 outside, which Heun's steps approach at
// second order.
func TestAutoguidanceThroughTheSampler(t *testing.T) {
	const sm, sg, w, low, high = 0.5, 0.9, 2.5, 0.3, 5.0
	gaussian := func(s float64) sample.Denoiser {
		m, err := gmm.New([]float64{0}, 1, s)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	o := guide.Options{Weight: w, SigmaLow: low, SigmaHigh: high}
	d := must(t)(guide.NewAuto(gaussian(sm), gaussian(sg), o))
	opts := sample.DefaultSettings()
	const steps = 4000
	opts.NumSteps = steps
	s, err := sample.NewNamed(d, opts)
	if err != nil {
		t.Fatal(err)
	}
	x := []float64{1, -0.3}
	if _, err := s.Sample(t.Context(), sample.Batch{X: x, Dim: 1}); err != nil {
		t.Fatal(err)
	}
	grown := func(from, to, w float64) float64 {
		ratio := func(s float64) float64 { return (s*s + to*to) / (s*s + from*from) }
		return math.Pow(ratio(sm), w/2) * math.Pow(ratio(sg), (1-w)/2)
	}
	want := 80 / (grown(0, low, 1) * grown(low, high, w) * grown(high, 80, 1))
	// The jumps of the derivative at the interval's ends cost up to a step each,
	// here 1/4000 of the range of sigma^(1/7).
	for i, first := range []float64{1, -0.3} {
		if e := math.Abs(x[i]/(first*want) - 1); !(e <= 5e-4) {
			t.Errorf("image %d is %.8g, want %.8g (relative error %.1e)", i, x[i], first*want, e)
		}
	}
	// Without guidance the scale would be another by far.
	if unguided := 80 / grown(0, 80, 1); math.Abs(want/unguided-1) < 0.1 {
		t.Errorf("guidance is too weak for this test to see: %g and %g", want, unguided)
	}
}

// Weights 0 and 1 and noise levels outside the interval are one evaluation, of
// the right network to the bit; inside it takes both. The counters say so.
func TestEvaluations(t *testing.T) {
	x, labels := []float64{0.1, 0.2, -1, 3}, oneHot(2, 0)
	for _, c := range []struct {
		name        string
		w, sigma    float64
		main, guide int
	}{
		{"weight 1", 1, 1, 1, 0}, {"weight 0", 0, 1, 0, 1}, {"weight 2", 2, 1, 1, 1},
		{"below the interval", 2, 0.5, 1, 0}, {"at its upper end", 2, 2, 1, 1}, {"above", 2, 2.1, 1, 0},
		{"weight 0 above", 0, 2.1, 1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			main, second := &counted{Classes: testClasses(t)}, &counted{Classes: testClasses(t)}
			d := must(t)(guide.NewAuto(main, guide.WithoutLabels(second), guide.Options{Weight: c.w, SigmaLow: 0.5, SigmaHigh: 2}))
			got, want := make([]float64, 4), make([]float64, 4)
			if err := d.Denoise(t.Context(), got, x, c.sigma, labels); err != nil {
				t.Fatal(err)
			}
			if main.calls != c.main || second.calls != c.guide {
				t.Errorf("%d and %d evaluations, want %d and %d", main.calls, second.calls, c.main, c.guide)
			}
			if n := c.main + c.guide; d.Evaluations() != n || d.Cost(c.sigma) != n {
				t.Errorf("counted %d, cost %d, want %d", d.Evaluations(), d.Cost(c.sigma), n)
			}
			given := labels
			if c.main == 0 {
				given = nil
			}
			if err := testClasses(t).Denoise(t.Context(), want, x, c.sigma, given); err != nil {
				t.Fatal(err)
			}
			if c.main+c.guide == 1 && !slices.Equal(got, want) {
				t.Errorf("D is %v, want %v to the bit", got, want)
			}
		})
	}
}

// A guided network may itself be a part: costs add up.
func TestNestedCosts(t *testing.T) {
	c := testClasses(t)
	inner := must(t)(guide.NewClassifierFree(c, guide.Options{Weight: 3, SigmaLow: 1, SigmaHigh: math.Inf(1)}))
	outer := must(t)(guide.NewClassifier(inner, c, weight(0.5)))
	x, dst := []float64{1, 2}, make([]float64, 2)
	for _, sigma := range []float64{0.5, 2} {
		if err := outer.Denoise(t.Context(), dst, x, sigma, oneHot(1)); err != nil {
			t.Fatal(err)
		}
	}
	if outer.Cost(0.5) != 2 || outer.Cost(2) != 3 || outer.Evaluations() != 5 || inner.Evaluations() != 3 {
		t.Errorf("costs %d and %d, %d evaluations of which %d within, want 2, 3, 5 and 3",
			outer.Cost(0.5), outer.Cost(2), outer.Evaluations(), inner.Evaluations())
	}
}

// gradientRows gives gmm's classifier a noise level for each image.
type gradientRows struct{ *gmm.Classes }

func (g gradientRows) GradientRows(ctx context.Context, dst, x, sigmas []float64, labels []float32) error {
	for i, sigma := range sigmas {
		row := labels[i*classes : (i+1)*classes]
		if err := g.Gradient(ctx, dst[i*dim:(i+1)*dim], x[i*dim:(i+1)*dim], sigma, row); err != nil {
			return err
		}
	}
	return nil
}

// DenoiseRows gives each image what Denoise gives it alone, to the bit, inside
// and outside of the interval.
func TestRows(t *testing.T) {
	const n = 5
	sigmas, labels := []float64{0.3, 1, 1.9, 7, 2}, oneHot(0, 1, 2, 1, 0)
	x := make([]float64, n*dim)
	rng.FillNormal(x, 1, rng.Latents, 0)
	for _, w := range []float64{0, 1, 2.5} {
		for _, span := range [][2]float64{{0, math.Inf(1)}, {0.5, 2}, {10, 20}} {
			o := guide.Options{Weight: w, SigmaLow: span[0], SigmaHigh: span[1]}
			c := testClasses(t)
			second := &counted{Classes: testClasses(t)}
			for name, d := range map[string]guide.Denoiser{
				"classifier-free": must(t)(guide.NewClassifierFree(c, o)),
				"auto":            must(t)(guide.NewAuto(c, guide.WithoutLabels(second), o)),
				"classifier":      must(t)(guide.NewClassifier(guide.WithoutLabels(c), gradientRows{c}, o)),
			} {
				rows, ok := d.(sample.Rows)
				if !ok {
					t.Fatalf("%s is no sample.Rows, and its parts are", name)
				}
				got, want := make([]float64, n*dim), make([]float64, n*dim)
				inside := 0
				for i, sigma := range sigmas {
					if err := d.Denoise(t.Context(), want[i*dim:(i+1)*dim], x[i*dim:(i+1)*dim], sigma, labels[i*classes:(i+1)*classes]); err != nil {
						t.Fatal(err)
					}
					if sigma > span[0] && sigma <= span[1] {
						inside++
					}
				}
				second.rows = 0
				if err := rows.DenoiseRows(t.Context(), got, x, sigmas, labels); err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(got, want) {
					t.Errorf("%s with %+v: %v, one by one %v", name, o, got, want)
				}
				if name == "auto" && w != 1 && second.rows != inside {
					t.Errorf("the guide saw %d images, want the %d inside", second.rows, inside)
				}
			}
		}
	}
}

// Rows without labels after rows with some are denoised without, and a call
// costs what its dearest image does, wherever that stands.
func TestRowsWithoutLabels(t *testing.T) {
	c := testClasses(t)
	inner := must(t)(guide.NewAuto(c, c, guide.Options{Weight: 2, SigmaLow: 1, SigmaHigh: 3}))
	d := must(t)(guide.NewAuto(inner.(sample.Rows), c, weight(3)))
	x, dst := make([]float64, 2*dim), make([]float64, 2*dim)
	costs := 0
	for _, sigmas := range [][]float64{{2, 5}, {5, 2}} {
		for _, labels := range [][]float32{oneHot(0, 1), nil} {
			if err := d.(sample.Rows).DenoiseRows(t.Context(), dst, x, sigmas, labels); err != nil {
				t.Fatal(err)
			}
			if costs += 3; d.Evaluations() != costs {
				t.Errorf("sigmas %v: %d evaluations so far, want %d", sigmas, d.Evaluations(), costs)
			}
		}
	}
}

// A part without rows leaves the whole without.
func TestRowsOnlyWhereThePartsHaveThem(t *testing.T) {
	c := testClasses(t)
	for name, d := range map[string]sample.Denoiser{
		"classifier-free":     must(t)(guide.NewClassifierFree(plain{c}, weight(2))),
		"auto, main":          must(t)(guide.NewAuto(plain{c}, c, weight(2))),
		"auto, guide":         must(t)(guide.NewAuto(c, plain{c}, weight(2))),
		"auto, guide wrapped": must(t)(guide.NewAuto(c, guide.WithoutLabels(plain{c}), weight(2))),
		"classifier":          must(t)(guide.NewClassifier(c, c, weight(2))),
	} {
		if _, ok := d.(sample.Rows); ok {
			t.Errorf("%s is a sample.Rows without the means", name)
		}
	}
}

func TestNoAllocationAfterTheFirstCall(t *testing.T) {
	c := testClasses(t)
	x, dst, sigmas, labels := []float64{0.1, 0.2, -1, 3}, make([]float64, 4), []float64{1, 3}, oneHot(2, 0)
	o := guide.Options{Weight: 2, SigmaLow: 0, SigmaHigh: 2}
	for name, d := range map[string]guide.Denoiser{
		"classifier-free": must(t)(guide.NewClassifierFree(c, o)),
		"auto":            must(t)(guide.NewAuto(c, guide.WithoutLabels(c), o)),
	} {
		rows := d.(sample.Rows)
		call := func() {
			if err := d.Denoise(t.Context(), dst, x, 1, labels); err != nil {
				t.Error(err)
			}
			if err := rows.DenoiseRows(t.Context(), dst, x, sigmas, labels); err != nil {
				t.Error(err)
			}
		}
		call()
		if got := testing.AllocsPerRun(10, call); got != 0 {
			t.Errorf("%s: %g allocations, want none", name, got)
		}
	}
}
