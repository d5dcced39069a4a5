package lab

import (
	"context"
	"math"
	"testing"

	"edm/internal/gmm"
)

// The schedules are inverses of each other's time, and VP keeps the published
// end.
func TestAxes(t *testing.T) {
	for _, a := range axes() {
		for _, sigma := range []float64{0, 0.01, 0.3, 1, 7, 25} {
			if got := a.sigma(a.time(sigma)); math.Abs(got-sigma) > 1e-9*(1+sigma) {
				t.Errorf("%s: sigma(t(%g)) = %g", a.title, sigma, got)
			}
		}
	}
	if got := axes()[0].sigma(1); math.Abs(got-152.167) > 1e-3 {
		t.Errorf("VP's sigma(1) is %g, want 152.167", got)
	}
}

// For one Gaussian the solution is known: x shrinks as sqrt(s0^2 + sigma^2).
func TestSolvePath(t *testing.T) {
	const s0, sigmaMax = 0.5, 25
	m, err := gmm.New([]float64{0}, 1, s0)
	if err != nil {
		t.Fatal(err)
	}
	p, err := solvePath(context.Background(), m, []float64{0.7}, sigmaMax)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.x) != len(p.sigma) || p.sigma[len(p.sigma)-1] != 0 {
		t.Fatalf("%d states at %d levels to %g", len(p.x), len(p.sigma), p.sigma[len(p.sigma)-1])
	}
	for i, sigma := range p.sigma {
		want := 0.7 * sigmaMax * math.Hypot(s0, sigma) / math.Hypot(s0, sigmaMax)
		if math.Abs(p.x[i][0]-want) > 1e-3*want {
			t.Errorf("x(%g) = %g, want %g", sigma, p.x[i][0], want)
		}
	}
	if i := p.nearest(1); p.sigma[i] > 1 || p.sigma[i-1] < 1 {
		t.Errorf("nearest(1) is %g", p.sigma[i])
	}
}

func TestToys(t *testing.T) {
	for name, toy := range map[string]func(context.Context) (*Figure, error){"toy-1d": Toy1D, "toy-2d": Toy2D} {
		f, err := toy(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		checkFigure(t, name, f)
	}
}

// The arrows of the toys are slopes of the ODE: they point to where D is.
func TestDescent(t *testing.T) {
	m, err := gmm.New([]float64{0, 0}, 2, 0.1)
	if err != nil {
		t.Fatal(err)
	}
	field, err := descent(context.Background(), m, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range field { // D = s0^2/(s0^2+1) x
		if f := 1 - 0.01/1.01; math.Abs(a.dx+f*a.at.X) > 1e-12 || math.Abs(a.dy+f*a.at.Y) > 1e-12 {
			t.Errorf("arrow (%g, %g) at (%g, %g)", a.dx, a.dy, a.at.X, a.at.Y)
		}
	}
}
