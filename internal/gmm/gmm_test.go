package gmm

import (
	"context"
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"
)

// TestSingleGaussian: one component's posterior mean is linear in x.
func TestSingleGaussian(t *testing.T) {
	m, err := New([]float64{1, -2}, 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	dst := make([]float64, 4)
	if err := m.Denoise(t.Context(), dst, []float64{6, 3, 1, -2}, 4, nil); err != nil {
		t.Fatal(err)
	}
	// s0^2 = 9, sigma^2 = 16: D = mu + 9/25 (x - mu).
	for j, want := range []float64{1 + 5*9.0/25, -2 + 5*9.0/25, 1, -2} {
		if math.Abs(dst[j]-want) > 1e-14 {
			t.Errorf("D[%d] = %v, want %v", j, dst[j], want)
		}
	}
}

// TestTwoPoints: for data at +1 and -1 the posterior mean is tanh(x/sigma^2).
func TestTwoPoints(t *testing.T) {
	m, err := New([]float64{-1, 1}, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.Float64Range(-100, 100).Draw(t, "x")
		sigma := math.Exp(rapid.Float64Range(-6, 6).Draw(t, "ln sigma"))
		dst := make([]float64, 1)
		if err := m.Denoise(context.Background(), dst, []float64{x}, sigma, nil); err != nil {
			t.Fatal(err)
		}
		if want := math.Tanh(x / (sigma * sigma)); !(math.Abs(dst[0]-want) <= 1e-10) {
			t.Errorf("D(%g; %g) = %v, want %v", x, sigma, dst[0], want)
		}
	})
}

// TestIsTheScore holds D against Tweedie's formula, D = x + sigma^2 times the
// gradient of ln p(x; sigma) (EDM Eq. 3), with the gradient by differences.
func TestIsTheScore(t *testing.T) {
	means := []float64{0.5, -1, 2, 0.3, -1.5, 0.7}
	m, err := New(means, 2, 0.4)
	if err != nil {
		t.Fatal(err)
	}
	const sigma, h = 0.8, 1e-5
	logP := func(x, y float64) float64 {
		sum := 0.0
		for k := 0; k < len(means); k += 2 {
			d2 := (x-means[k])*(x-means[k]) + (y-means[k+1])*(y-means[k+1])
			sum += math.Exp(-d2 / (2 * (0.4*0.4 + sigma*sigma)))
		}
		return math.Log(sum)
	}
	x := []float64{0.2, -0.4}
	dst := make([]float64, 2)
	if err := m.Denoise(t.Context(), dst, x, sigma, nil); err != nil {
		t.Fatal(err)
	}
	wantX := x[0] + sigma*sigma*(logP(x[0]+h, x[1])-logP(x[0]-h, x[1]))/(2*h)
	wantY := x[1] + sigma*sigma*(logP(x[0], x[1]+h)-logP(x[0], x[1]-h))/(2*h)
	if math.Abs(dst[0]-wantX) > 1e-8 || math.Abs(dst[1]-wantY) > 1e-8 {
		t.Errorf("D = %v, want [%v %v]", dst, wantX, wantY)
	}
}

func TestFaults(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		means []float64
		dim   int
		s0    float64
	}{{nil, 1, 1}, {[]float64{1, 2, 3}, 2, 1}, {[]float64{1}, 0, 1}, {[]float64{1}, 1, -1}, {[]float64{1}, 1, nan}, {[]float64{nan}, 1, 1}} {
		if _, err := New(c.means, c.dim, c.s0); err == nil {
			t.Errorf("New(%v, %d, %g) succeeded", c.means, c.dim, c.s0)
		}
	}
	m, err := New([]float64{1, 2}, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	two, three := make([]float64, 2), make([]float64, 3)
	if m.Denoise(t.Context(), two, three, 1, nil) == nil || m.Denoise(t.Context(), three, three, 1, nil) == nil {
		t.Error("mismatched lengths were accepted")
	}
	if m.Denoise(t.Context(), two, two, 0, nil) == nil || m.Denoise(t.Context(), two, two, nan, nil) == nil {
		t.Error("an impossible sigma was accepted")
	}
	if m.Denoise(t.Context(), two, two, 1, []float32{}) == nil {
		t.Error("labels were accepted")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.Denoise(ctx, make([]float64, 2), two, 1, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("after cancelling: %v", err)
	}
}
