package guide_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"edm/sample"
	"edm/sample/guide"
)

func TestOptionsValidate(t *testing.T) {
	if err := guide.DefaultOptions().Validate(); err != nil {
		t.Error(err)
	}
	nan, inf := math.NaN(), math.Inf(1)
	for _, c := range []struct {
		options guide.Options
		faults  []string
	}{
		{guide.Options{Weight: nan, SigmaHigh: 1}, []string{"weight"}},
		{guide.Options{Weight: inf, SigmaHigh: 1}, []string{"weight"}},
		{guide.Options{SigmaLow: -1, SigmaHigh: 1}, []string{"lower"}},
		{guide.Options{SigmaLow: 1, SigmaHigh: 1}, []string{"upper"}},
		{guide.Options{SigmaHigh: nan}, []string{"upper"}},
		{guide.Options{Weight: nan, SigmaLow: nan, SigmaHigh: nan}, []string{"weight", "lower", "upper"}},
		{guide.Options{SigmaLow: inf, SigmaHigh: inf}, []string{"lower", "upper"}},
	} {
		err := c.options.Validate()
		if err == nil {
			t.Errorf("%+v was accepted", c.options)
			continue
		}
		for _, f := range c.faults {
			if !strings.Contains(err.Error(), f) {
				t.Errorf("%+v: %v does not speak of %q", c.options, err, f)
			}
		}
		if _, err := guide.NewAuto(testClasses(t), testClasses(t), c.options); err == nil {
			t.Errorf("NewAuto took %+v", c.options)
		}
	}
}

// ranged is a denoiser with a range and a rounding of its own.
type ranged struct {
	sample.Denoiser
	min, max, step float64
}

func (r ranged) SigmaRange() (min, max float64)   { return r.min, r.max }
func (r ranged) RoundSigma(sigma float64) float64 { return math.Round(sigma/r.step) * r.step }

func TestRangesIntersect(t *testing.T) {
	c := testClasses(t)
	main, second := ranged{c, 0.1, 50, 0.5}, ranged{c, 0.002, 20, 1}
	d := must(t)(guide.NewAuto(main, second, weight(2)))
	if low, high := d.SigmaRange(); low != 0.1 || high != 20 {
		t.Errorf("range %g to %g, want 0.1 to 20", low, high)
	}
	if got := d.RoundSigma(1.6); got != 1.5 {
		t.Errorf("1.6 is rounded to %g, want the main network's 1.5", got)
	}
	_, err := guide.NewAuto(main, ranged{c, 60, 80, 1}, weight(2))
	if err == nil || !strings.Contains(err.Error(), "no noise levels") {
		t.Errorf("networks without a common range: %v", err)
	}
}

func TestMissingParts(t *testing.T) {
	c := testClasses(t)
	for what, f := range map[string]func() (guide.Denoiser, error){
		"no network":        func() (guide.Denoiser, error) { return guide.NewClassifierFree(nil, weight(2)) },
		"no main network":   func() (guide.Denoiser, error) { return guide.NewAuto(nil, c, weight(2)) },
		"no second network": func() (guide.Denoiser, error) { return guide.NewAuto(c, guide.WithoutLabels(nil), weight(2)) },
		"no classifier":     func() (guide.Denoiser, error) { return guide.NewClassifier(c, nil, weight(2)) },
	} {
		if d, err := f(); err == nil || d != nil {
			t.Errorf("%s: %v, %v", what, d, err)
		}
	}
}

// failing is a denoiser and classifier that only fails.
type failing struct{ ranged }

var errFailing = errors.New("out of order")

func (failing) Denoise(context.Context, []float64, []float64, float64, []float32) error {
	return errFailing
}

func (failing) Gradient(context.Context, []float64, []float64, float64, []float32) error {
	return errFailing
}

func TestErrorsOfParts(t *testing.T) {
	c := testClasses(t)
	bad := failing{ranged{c, 0, 100, 1}}
	x, dst := make([]float64, 2), make([]float64, 2)
	for what, d := range map[string]guide.Denoiser{
		"main network": must(t)(guide.NewAuto(bad, c, weight(2))),
		"guiding term": must(t)(guide.NewAuto(c, bad, weight(2))),
	} {
		err := d.Denoise(t.Context(), dst, x, 1, nil)
		if !errors.Is(err, errFailing) || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
	d := must(t)(guide.NewClassifier(c, bad, weight(2)))
	if err := d.Denoise(t.Context(), dst, x, 1, oneHot(0)); !errors.Is(err, errFailing) {
		t.Errorf("classifier: %v", err)
	}
}

func TestBadCalls(t *testing.T) {
	c := testClasses(t)
	two, four := make([]float64, 2), make([]float64, 4)
	free := must(t)(guide.NewClassifierFree(c, weight(2)))
	rows := free.(sample.Rows)
	by := must(t)(guide.NewClassifier(c, c, weight(2)))
	for what, err := range map[string]error{
		"no labels":            free.Denoise(t.Context(), two, two, 1, nil),
		"no labels, rows":      rows.DenoiseRows(t.Context(), two, two, []float64{1}, nil),
		"no labels, gradient":  by.Denoise(t.Context(), two, two, 1, nil),
		"a short dst":          free.Denoise(t.Context(), two, four, 1, oneHot(0, 1)),
		"no noise levels":      rows.DenoiseRows(t.Context(), two, two, nil, oneHot(0)),
		"uneven noise levels":  rows.DenoiseRows(t.Context(), four, four, []float64{1, 2, 3}, oneHot(0, 1, 1)),
		"uneven labels":        rows.DenoiseRows(t.Context(), four, four, []float64{1, 2}, oneHot(0)),
		"labels of wrong size": free.Denoise(t.Context(), two, two, 1, oneHot(0, 1)),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), "guide: ") {
			t.Errorf("%s: error %v", what, err)
		}
	}
}
