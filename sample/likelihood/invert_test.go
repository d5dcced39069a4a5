package likelihood

import (
	"math"
	"slices"
	"testing"

	"edm/internal/gmm"
	"edm/sample"
)

// For one Gaussian the path is known: x - mu grows as sqrt(s0^2 + sigma^2).
func TestInvertOneGaussian(t *testing.T) {
	const s0 = 0.5
	m, err := gmm.New([]float64{0.3, -0.7}, 2, s0)
	if err != nil {
		t.Fatal(err)
	}
	p := DefaultPath()
	v, err := NewInverter(m, p)
	if err != nil {
		t.Fatal(err)
	}
	x := []float64{0.1, 0.5, -1, 1}
	latents := slices.Clone(x)
	if err := v.Invert(t.Context(), latents, 2, nil); err != nil {
		t.Fatal(err)
	}
	grown := math.Hypot(s0, p.SigmaMax) / math.Hypot(s0, p.SigmaMin)
	for j, got := range latents {
		mu := []float64{0.3, -0.7}[j%2]
		want := (mu + (x[j]-mu)*grown) / p.SigmaMax
		if !(math.Abs(got-want) <= 2e-3*math.Abs(want)) {
			t.Errorf("latent %d is %.6f, want %.6f", j, got, want)
		}
	}
}

// The error of there and back falls with the solver's order or faster, and with
// the defaults is far below a byte's step.
func TestRoundTrip(t *testing.T) {
	p := newProblem(t, 12, 3, 0.2, 4)
	for _, c := range []struct {
		solver string
		steps  [2]int
		order  float64
		limit  float64 // at steps[0]
	}{{Heun, [2]int{64, 128}, 2, 1e-2}, {RK4, [2]int{32, 64}, 4, 5e-4}} {
		var worst [2]float64
		for i, n := range c.steps {
			path := DefaultPath()
			path.Solver, path.Steps = c.solver, n
			v, err := NewInverter(p, path)
			if err != nil {
				t.Fatal(err)
			}
			r, err := v.RoundTrip(t.Context(), p.x, p.dim, nil)
			if err != nil {
				t.Fatal(err)
			}
			if r.NFE != 2*v.NFE() || v.NFE() != 128*(i+1) {
				t.Errorf("NFE %d and %d one way", r.NFE, v.NFE())
			}
			for k := range r.RMS {
				if r.RMS[k] > r.Max[k] {
					t.Errorf("RMS %g above the largest error %g", r.RMS[k], r.Max[k])
				}
			}
			worst[i] = slices.Max(r.RMS)
		}
		t.Logf("%s: round trip error %.1e with %d steps, %.1e with %d", c.solver, worst[0], c.steps[0], worst[1], c.steps[1])
		if !(worst[0] <= c.limit && math.Log2(worst[0]/worst[1]) > c.order-0.5) {
			t.Errorf("%s: errors %g, want at most %g, of order %g", c.solver, worst, c.limit, c.order)
		}
	}
}

// A deterministic sampler makes the image again from its latents.
func TestSamplerRestoresTheImage(t *testing.T) {
	p := newProblem(t, 12, 3, 0.2, 4)
	v, err := NewInverter(p, DefaultPath())
	if err != nil {
		t.Fatal(err)
	}
	x := slices.Clone(p.x)
	if err := v.Invert(t.Context(), x, p.dim, nil); err != nil {
		t.Fatal(err)
	}
	o := sample.DefaultSettings()
	o.NumSteps = 256
	s, err := sample.NewNamed(p, o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Sample(t.Context(), sample.Batch{X: x, Dim: p.dim}); err != nil {
		t.Fatal(err)
	}
	for j, got := range x {
		if !(math.Abs(got-p.x[j]) <= 2e-3) {
			t.Errorf("number %d came back as %.5f, was %.5f", j, got, p.x[j])
		}
	}
}

func TestInverterAllocatesNothingAfterTheFirstCall(t *testing.T) {
	p := newProblem(t, 4, 2, 0.2, 2)
	path := DefaultPath()
	path.Steps = 2
	v, err := NewInverter(p, path)
	if err != nil {
		t.Fatal(err)
	}
	x := slices.Clone(p.x)
	call := func() {
		if err := v.Invert(t.Context(), x, p.dim, nil); err != nil {
			t.Error(err)
		}
	}
	call()
	if got := testing.AllocsPerRun(5, call); got != 0 {
		t.Errorf("%g allocations, want none", got)
	}
}
