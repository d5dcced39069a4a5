package likelihood

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
)

func TestValidate(t *testing.T) {
	if err := DefaultOptions().Validate(); err != nil {
		t.Error(err)
	}
	nan := math.NaN()
	bad := Options{Path: Path{Solver: "euler", Steps: 0, SigmaMin: nan, SigmaMax: math.Inf(1), Rho: 0}, Trace: "guess"}
	err := bad.Validate()
	for _, want := range []string{"solver", "steps", "sigma_min", "sigma_max", "rho", "trace"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not speak of %s", err, want)
		}
	}
	for what, change := range map[string]func(*Options){
		"no probes":           func(o *Options) { o.Probes = 0 },
		"exact with probes":   func(o *Options) { o.Trace, o.Probes = Exact, 2 },
		"a range upside down": func(o *Options) { o.Path.SigmaMin = 90 },
	} {
		o := DefaultOptions()
		change(&o)
		if _, err := New(newProblem(t, 2, 1, 1, 1), o); err == nil {
			t.Errorf("%s was accepted", what)
		}
	}
}

// stepped is a mixture that knows only some noise levels, and fails at will.
type stepped struct {
	problem
	min, max, step float64
	err            error
	value          float64 // of D and its derivative, if not 0
}

func (s stepped) SigmaRange() (min, max float64) { return s.min, s.max }

func (s stepped) RoundSigma(sigma float64) float64 {
	if s.step == 0 {
		return sigma
	}
	return max(math.Round(sigma/s.step), 1) * s.step
}

func (s stepped) VJP(ctx context.Context, dst, grad, x []float64, sigma float64, v []float64, labels []float32) error {
	if err := s.problem.VJP(ctx, dst, grad, x, sigma, v, labels); err != nil {
		return err
	}
	if s.value != 0 {
		grad[0] = s.value
	}
	return s.err
}

// A rho beyond float64's reach is an error, not a likelihood of NaN.
func TestExtremeRho(t *testing.T) {
	p := newProblem(t, 2, 1, 1, 1)
	for _, rho := range []float64{1e-3, 1e17} {
		for _, solver := range Solvers() {
			path := DefaultPath()
			path.Rho, path.Solver = rho, solver
			if _, err := NewInverter(p, path); err == nil || !strings.Contains(err.Error(), "rho") {
				t.Errorf("%s with rho %g: error %v", solver, rho, err)
			}
		}
	}
}

func TestNotes(t *testing.T) {
	p := newProblem(t, 2, 1, 1, 1)
	for _, c := range []struct {
		den    stepped
		solver string
		notes  []string
		nfe    int
	}{
		{stepped{problem: p, max: math.Inf(1)}, RK4, nil, 128},
		{stepped{problem: p, min: 0.01, max: 50}, RK4, []string{"raised to 0.01", "lowered to 50"}, 128},
		{stepped{problem: p, max: math.Inf(1), step: 0.5}, RK4, []string{"heun"}, 128},
		{stepped{problem: p, max: 80, step: 10}, Heun, []string{"steps instead of 32"}, 14},
	} {
		o := DefaultOptions()
		o.Path.Solver = c.solver
		e, err := New(c.den, o)
		if err != nil {
			t.Fatal(err)
		}
		notes := e.Notes()
		for i, want := range c.notes {
			if len(notes) != len(c.notes) || !strings.Contains(notes[i], want) {
				t.Errorf("notes %q, want %q", notes, c.notes)
				break
			}
		}
		if len(c.notes) == 0 && len(notes) > 0 {
			t.Errorf("notes %q", notes)
		}
		if e.NFE(2) != c.nfe {
			t.Errorf("%d evaluations, want %d", e.NFE(2), c.nfe)
		}
	}
	for what, den := range map[string]stepped{
		"a network below the range": {problem: p, max: 0.001},
		"a single level":            {problem: p, max: 80, step: 1000},
	} {
		o := DefaultOptions()
		o.Path.Solver = Heun
		if _, err := New(den, o); err == nil {
			t.Errorf("%s was accepted", what)
		}
	}
}

func TestBadBatches(t *testing.T) {
	p := newProblem(t, 2, 1, 1, 1)
	e, err := New(p, DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	for what, b := range map[string]Batch{
		"no images":       {Dim: 2},
		"no dimension":    {X: p.x},
		"half an image":   {X: make([]float64, 3), Dim: 2, Seeds: []uint64{1}},
		"no seeds":        {X: p.x, Dim: 2},
		"uneven labels":   {X: make([]float64, 4), Dim: 2, Seeds: []uint64{1, 2}, Labels: []float32{1}},
		"not a number":    {X: []float64{1, math.NaN()}, Dim: 2, Seeds: []uint64{1}},
		"labels for none": {X: p.x, Dim: 2, Seeds: []uint64{1}, Labels: []float32{1}},
	} {
		if _, err := e.Estimate(t.Context(), b); err == nil || !strings.HasPrefix(err.Error(), "likelihood: ") {
			t.Errorf("%s: error %v", what, err)
		}
	}
	v, err := NewInverter(p, DefaultPath())
	if err != nil {
		t.Fatal(err)
	}
	if v.Invert(t.Context(), p.x, 3, nil) == nil || v.Revert(t.Context(), p.x, 3, nil) == nil {
		t.Error("a wrong dimension was accepted")
	}
	if _, err := v.RoundTrip(t.Context(), p.x, 3, nil); err == nil {
		t.Error("a wrong dimension was accepted")
	}
	if _, err := New(nil, DefaultOptions()); err == nil {
		t.Error("no denoiser was accepted")
	}
	if _, err := NewInverter(nil, DefaultPath()); err == nil {
		t.Error("no denoiser was accepted")
	}
}

func TestFailingDenoiser(t *testing.T) {
	p := newProblem(t, 2, 1, 1, 1)
	broken := errors.New("broken")
	for what, den := range map[string]stepped{
		"an error":       {problem: p, max: 80, err: broken},
		"not a gradient": {problem: p, max: 80, value: math.NaN()},
	} {
		e, err := New(den, DefaultOptions())
		if err != nil {
			t.Fatal(err)
		}
		_, err = e.Estimate(t.Context(), p.batch())
		if err == nil || !strings.Contains(err.Error(), "sigma 0.002") || den.err != nil && !errors.Is(err, broken) {
			t.Errorf("%s: %v", what, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	e, err := New(p, DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Estimate(ctx, p.batch()); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled run: %v", err)
	}
}
