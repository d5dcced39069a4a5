package precond

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The published schedule's noise levels at its ends.
func TestVPSigmaGolden(t *testing.T) {
	p := DefaultVP()
	for _, c := range []struct{ t, want float64 }{{1e-3, 0.0104860}, {1, 152.167}} {
		if got := p.Sigma(c.t); !near(got, c.want, 1e-5) {
			t.Errorf("sigma(%g) = %.8g, want %g", c.t, got, c.want)
		}
	}
	low, high := p.SigmaRange()
	// sqrt(beta_min t) to first order, which at t = 1e-5 is off by 1 part in 1,000.
	if !near(low, 1e-3, 1e-3) || high != p.Sigma(1) {
		t.Errorf("range %g to %g", low, high)
	}
}

// Time undoes Sigma over the whole range, and with either constant 0.
func TestVPTimeInvertsSigma(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := DefaultVP()
		switch rapid.IntRange(0, 2).Draw(t, "case") {
		case 1:
			p.BetaD = 0
		case 2:
			p.BetaMin = 0
		}
		at := math.Exp(rapid.Float64Range(math.Log(1e-7), 0).Draw(t, "ln t"))
		if got := p.Time(p.Sigma(at)); !near(got, at, 1e-12) {
			t.Errorf("%+v: t(sigma(%g)) = %.17g", p, at, got)
		}
	})
}

// The input has unit variance for data of unit variance, and D is the noisy
// image less sigma times the predicted noise (VP and iDDPM), or plus it (VE).
func TestNoisePredictors(t *testing.T) {
	for _, name := range []string{VPName, VEName, IDDPMName} {
		p, err := New(name, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, sigma := range []float64{0.02, 0.5, 7, 90} {
			sigma = p.RoundSigma(sigma)
			c := p.Coeffs(sigma)
			sign, in := -1.0, 1/math.Sqrt(1+sigma*sigma)
			if name == VEName {
				sign, in = 1, 1
			}
			if c.CSkip != 1 || c.COut != sign*sigma || !near(c.CIn, in, 1e-15) {
				t.Errorf("%s: Coeffs(%g) = %+v", name, sigma, c)
			}
		}
	}
	if c := DefaultVE().Coeffs(2 * math.E); !near(c.CNoise, 1, 1e-15) {
		t.Errorf("VE: c_noise(2e) = %g, want 1", c.CNoise)
	}
	vp := DefaultVP()
	if c := vp.Coeffs(vp.Sigma(0.25)); !near(c.CNoise, 999*0.25, 1e-12) {
		t.Errorf("VP: c_noise(sigma(1/4)) = %g, want %g", c.CNoise, 999*0.25)
	}
}

// The noise levels of the published cosine schedule.
func TestIDDPMTableGolden(t *testing.T) {
	u := DefaultIDDPM().Table()
	if len(u) != 1001 || u[1000] != 0 || !near(u[0], 20291.17, 1e-6) || !near(u[999], 0.0064254, 1e-5) {
		t.Errorf("%d noise levels, %g, ..., %g, %g", len(u), u[0], u[len(u)-2], u[len(u)-1])
	}
	low, high := DefaultIDDPM().SigmaRange()
	if low != u[999] || high != u[0] {
		t.Errorf("range %g to %g", low, high)
	}
}

// RoundSigma gives the nearest noise level, is monotone, leaves its own results
// alone, and c_noise counts the levels from the lowest.
func TestIDDPMRounds(t *testing.T) {
	p := DefaultIDDPM()
	u := p.Table()
	rapid.Check(t, func(t *rapid.T) {
		a := math.Exp(rapid.Float64Range(-9, 11).Draw(t, "ln a"))
		b := math.Exp(rapid.Float64Range(-9, 11).Draw(t, "ln b"))
		ra, rb := p.RoundSigma(a), p.RoundSigma(b)
		if (a-b)*(ra-rb) < 0 {
			t.Errorf("%g and %g round to %g and %g", a, b, ra, rb)
		}
		if p.RoundSigma(ra) != ra {
			t.Errorf("%g rounds to %g, and that to %g", a, ra, p.RoundSigma(ra))
		}
		for _, v := range u {
			if math.Abs(v-a) < math.Abs(ra-a) {
				t.Fatalf("%g rounds to %g, but %g is nearer", a, ra, v)
			}
		}
		if j := 999 - int(p.Coeffs(ra).CNoise); u[j] != ra {
			t.Errorf("c_noise of %g points at %g", ra, u[j])
		}
	})
	if c := p.Coeffs(0); c.CNoise != -1 || c.COut != 0 || c.CIn != 1 {
		t.Errorf("Coeffs(0) = %+v", c)
	}
}

// A table replaces the formula's levels, and is refused where it is none.
func TestIDDPMWithTable(t *testing.T) {
	u := []float64{8, 2, 0.5, 0}
	p, err := DefaultIDDPM().WithTable(u)
	if err != nil {
		t.Fatal(err)
	}
	u[0] = 3 // the caller's own
	if p.M() != 3 || p.RoundSigma(100) != 8 || p.RoundSigma(1.2) != 0.5 || p.Coeffs(8).CNoise != 2 {
		t.Errorf("table %v, %g, %g, %+v", p.Table(), p.RoundSigma(100), p.RoundSigma(1.2), p.Coeffs(8))
	}
	if p.Equal(DefaultIDDPM()) || !p.Equal(p) {
		t.Error("equality does not see the table")
	}
	for what, bad := range map[string][]float64{
		"short": {1, 0}, "rising": {1, 2, 0}, "level": {2, 2, 0}, "endless": {math.Inf(1), 1, 0},
		"not a number": {2, math.NaN(), 0}, "last": {3, 2, 1},
	} {
		if _, err := DefaultIDDPM().WithTable(bad); err == nil || !strings.Contains(err.Error(), "iddpm") {
			t.Errorf("%s table: %v", what, err)
		}
	}
}
