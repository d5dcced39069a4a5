package gmm

import (
	"context"
	"math"
	"testing"

	"pgregory.net/rapid"
)

// TestLogDensityOfOneGaussian: the formula of a normal density.
func TestLogDensityOfOneGaussian(t *testing.T) {
	m, err := New([]float64{1, -2}, 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]float64, 2)
	if err := m.LogDensity(got, []float64{6, 3, 1, -2}, 4); err != nil {
		t.Fatal(err)
	}
	for i, want := range []float64{-math.Log(2*math.Pi*25) - 1, -math.Log(2 * math.Pi * 25)} {
		if math.Abs(got[i]-want) > 1e-14 {
			t.Errorf("ln p of point %d is %v, want %v", i, got[i], want)
		}
	}
}

// TestDensityIntegratesToOne: the trapezoid rule is exact to rounding for
// smooth functions that vanish at both ends.
func TestDensityIntegratesToOne(t *testing.T) {
	m, err := New([]float64{-1, 0.3, 2}, 1, 0.2)
	if err != nil {
		t.Fatal(err)
	}
	for _, sigma := range []float64{0, 0.5, 3} {
		const n, half = 40000, 40.0
		x, l := make([]float64, n), make([]float64, n)
		for i := range x {
			x[i] = half * (2*float64(i)/n - 1)
		}
		if err := m.LogDensity(l, x, sigma); err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for _, v := range l {
			sum += math.Exp(v) * 2 * half / n
		}
		if math.Abs(sum-1) > 1e-10 {
			t.Errorf("the density at sigma %g integrates to %v", sigma, sum)
		}
	}
}

// TestVJP: the product with J is the derivative of D along the cotangent, since J
// is symmetric; and D is the score of LogDensity.
func TestVJP(t *testing.T) {
	m, err := New([]float64{0.5, -1, 2, 0.3, -1.5, 0.7}, 2, 0.4)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		coordinate := rapid.Float64Range(-3, 3)
		x := []float64{coordinate.Draw(t, "x"), coordinate.Draw(t, "y")}
		v := []float64{coordinate.Draw(t, "v"), coordinate.Draw(t, "w")}
		sigma := math.Exp(rapid.Float64Range(-2, 2).Draw(t, "ln sigma"))
		d, grad := make([]float64, 2), make([]float64, 2)
		if err := m.VJP(context.Background(), d, grad, x, sigma, v, nil); err != nil {
			t.Fatal(err)
		}
		const h = 1e-5
		l := make([]float64, 2)
		moved := func(h float64) []float64 {
			out := make([]float64, 2)
			if err := m.Denoise(context.Background(), out, []float64{x[0] + h*v[0], x[1] + h*v[1]}, sigma, nil); err != nil {
				t.Fatal(err)
			}
			return out
		}
		up, down := moved(h), moved(-h)
		for j := range x {
			if got := (up[j] - down[j]) / (2 * h); !(math.Abs(got-grad[j]) <= 1e-5) {
				t.Errorf("derivative of D[%d] %v, gradient %v", j, got, grad[j])
			}
			pair := []float64{x[0], x[1], x[0], x[1]}
			pair[j] += h
			pair[2+j] -= h
			if err := m.LogDensity(l, pair, sigma); err != nil {
				t.Fatal(err)
			}
			if got, want := x[j]+sigma*sigma*(l[0]-l[1])/(2*h), d[j]; !(math.Abs(got-want) <= 1e-7) {
				t.Errorf("x + sigma^2 score is %v, D %v", got, want)
			}
		}
	})
}

func TestDerivativeFaults(t *testing.T) {
	m, err := New([]float64{1, 2}, 2, 0)
	if err != nil {
		t.Fatal(err)
	}
	one, two, four := make([]float64, 1), make([]float64, 2), make([]float64, 4)
	if m.LogDensity(two, two, 1) == nil || m.LogDensity(one, two, 0) == nil || m.LogDensity(one, two, -1) == nil || m.LogDensity(one, two, math.NaN()) == nil {
		t.Error("an impossible log density was accepted")
	}
	if m.VJP(t.Context(), two, four, two, 1, two, nil) == nil || m.VJP(t.Context(), two, two, two, 1, four, nil) == nil ||
		m.VJP(t.Context(), four, two, two, 1, two, nil) == nil || m.VJP(t.Context(), two, two, two, 0, two, nil) == nil {
		t.Error("an impossible product was accepted")
	}
}
