package gmm

import (
	"math"
	"slices"
	"testing"
)

func testClasses(t *testing.T) *Classes {
	t.Helper()
	c, err := NewClasses([]float64{0.5, -1, 2, 0.3, -1.5, 0.7}, 2, 0.4)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestClassesDenoise: a one-hot row asks for its class, a row of zeros and no
// labels for the mixture, row by row.
func TestClassesDenoise(t *testing.T) {
	c := testClasses(t)
	x, got, want := []float64{0.1, 0.2, 0.1, 0.2, -1, 3}, make([]float64, 6), make([]float64, 6)
	labels := []float32{0, 0, 1, 0, 0, 0, 1, 0, 0}
	sigmas := []float64{0.7, 0.1, 3}
	for i, m := range []*Mixture{c.Class(2), c.Mixture(), c.Class(0)} {
		if err := m.Denoise(t.Context(), want[2*i:2*i+2], x[2*i:2*i+2], sigmas[i], nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.DenoiseRows(t.Context(), got, x, sigmas, labels); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("D is %v, want %v", got, want)
	}
	if err := c.Denoise(t.Context(), got, x, 0.7, nil); err != nil {
		t.Fatal(err)
	}
	if err := c.Mixture().Denoise(t.Context(), want, x, 0.7, nil); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("without labels D is %v, want the mixture's %v", got, want)
	}
}

// TestClassesGradient holds the gradient of ln p(class | x) against differences
// of ln p(x | class) - ln p(x).
func TestClassesGradient(t *testing.T) {
	c := testClasses(t)
	x, labels := []float64{0.2, -0.4}, []float32{1, 0, 0}
	const sigma, h = 0.8, 1e-5
	got := make([]float64, 2)
	if err := c.Gradient(t.Context(), got, x, sigma, labels); err != nil {
		t.Fatal(err)
	}
	posterior := func(x []float64) float64 {
		var class, all [1]float64
		if err := c.Class(0).LogDensity(class[:], x, sigma); err != nil {
			t.Fatal(err)
		}
		if err := c.Mixture().LogDensity(all[:], x, sigma); err != nil {
			t.Fatal(err)
		}
		return class[0] - all[0]
	}
	for j := range x {
		up, down := slices.Clone(x), slices.Clone(x)
		up[j] += h
		down[j] -= h
		if want := (posterior(up) - posterior(down)) / (2 * h); math.Abs(got[j]-want) > 1e-8 {
			t.Errorf("gradient[%d] is %v, difference %v", j, got[j], want)
		}
	}
}

func TestClassesFaults(t *testing.T) {
	c := testClasses(t)
	two, four := make([]float64, 2), make([]float64, 4)
	for what, err := range map[string]error{
		"two ones":         c.Denoise(t.Context(), two, two, 1, []float32{1, 1, 0}),
		"a half":           c.Denoise(t.Context(), two, two, 1, []float32{0.5, 0, 0}),
		"too few labels":   c.Denoise(t.Context(), two, two, 1, []float32{1, 0}),
		"a long dst":       c.Denoise(t.Context(), four, two, 1, []float32{1, 0, 0}),
		"too many sigmas":  c.DenoiseRows(t.Context(), two, two, []float64{1, 2}, nil),
		"gradient of none": c.Gradient(t.Context(), two, two, 1, nil),
	} {
		if err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	if _, err := NewClasses(nil, 1, 1); err == nil {
		t.Error("no classes were accepted")
	}
}
