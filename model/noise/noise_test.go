package noise

import (
	"fmt"
	"math"
	"testing"
)

func schedules() map[string]Schedule {
	return map[string]Schedule{"linear": Linear{}, "ve": VE{}, "vp": DefaultVP(), "vp fitted": FitVP(0.01, 50, 1e-3)}
}

func near(a, b, tolerance float64) bool { return math.Abs(a-b) <= tolerance*(math.Abs(a)+math.Abs(b)) }

func TestSchedules(t *testing.T) {
	for name, s := range schedules() {
		for _, at := range []float64{0.01, 0.1, 0.5, 0.9, 1} {
			sigma, h := s.Sigma(at), 1e-6*at
			if back := s.Time(sigma); !near(back, at, 1e-12) {
				t.Errorf("%s: time of sigma(%g) is %g", name, at, back)
			}
			if d := (s.Sigma(at+h) - s.Sigma(at-h)) / (2 * h); !near(d, s.Deriv(at), 1e-7) {
				t.Errorf("%s: derivative at %g is %g, by difference %g", name, at, s.Deriv(at), d)
			}
		}
	}
}

func TestScalings(t *testing.T) {
	for _, s := range []Scaling{Unscaled{}, VPScaling{}} {
		for name, schedule := range schedules() {
			for _, at := range []float64{0.05, 0.5, 0.95} {
				h := 1e-6
				d := (s.S(schedule.Sigma(at+h)) - s.S(schedule.Sigma(at-h))) / (2 * h)
				got := s.Deriv(schedule.Sigma(at), schedule.Deriv(at))
				if math.Abs(d-got) > 1e-7*(math.Abs(got)+1) {
					t.Errorf("%T of %s: derivative at %g is %g, by difference %g", s, name, at, got, d)
				}
			}
		}
	}
	// VP keeps the variance.
	for _, sigma := range []float64{0, 0.1, 1, 30} {
		if s := (VPScaling{}).S(sigma); !near(s*s*(1+sigma*sigma), 1, 1e-15) {
			t.Errorf("the variance at sigma %g is %g", sigma, s*s*(1+sigma*sigma))
		}
	}
}

func TestFitVP(t *testing.T) {
	published := DefaultVP()
	got := FitVP(published.Sigma(1e-3), published.Sigma(1), 1e-3)
	if !near(got.BetaD, 19.9, 1e-9) || !near(got.BetaMin, 0.1, 1e-9) {
		t.Errorf("the published range gives %+v", got)
	}
	p := FitVP(0.002, 80, 1e-3)
	if !near(p.Sigma(1e-3), 0.002, 1e-9) || !near(p.Sigma(1), 80, 1e-9) || !p.Rises(1e-3) {
		t.Errorf("%+v goes from %g to %g", p, p.Sigma(1e-3), p.Sigma(1))
	}
	if FitVP(5, 6, 0.5).Rises(0.5) {
		t.Error("no VP goes from 5 at half the time to 6")
	}
}

func ExampleVP() {
	vp := DefaultVP()
	fmt.Printf("sigma(1) = %.1f, at time %.2f\n", vp.Sigma(1), vp.Time(vp.Sigma(1)))
	// Output: sigma(1) = 152.2, at time 1.00
}
