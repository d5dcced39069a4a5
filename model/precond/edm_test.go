package precond

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// drawCase draws a data deviation and a noise level over fourteen decades.
func drawCase(t *rapid.T) (p EDM, sigma float64, c Coeffs) {
	p = DefaultEDM()
	p.SigmaData = math.Exp(rapid.Float64Range(-4, 4).Draw(t, "ln sigma_data"))
	sigma = math.Exp(rapid.Float64Range(-16, 16).Draw(t, "ln sigma"))
	return p, sigma, p.Coeffs(sigma)
}

func near(got, want, rtol float64) bool { return math.Abs(got-want) <= rtol*math.Abs(want) }

// TestEDMExact compares with values worked out by hand for a 3-4-5 triangle:
// sigma = 4, sigma_data = 3, sqrt(sigma^2 + sigma_data^2) = 5.
func TestEDMExact(t *testing.T) {
	p := EDM{SigmaData: 3, SigmaMin: 0, SigmaMax: math.Inf(1)}
	got := p.Coeffs(4)
	want := Coeffs{CSkip: 9.0 / 25, COut: 12.0 / 5, CIn: 1.0 / 5, CNoise: math.Ln2 / 2}
	if !near(got.CSkip, want.CSkip, 1e-15) || !near(got.COut, want.COut, 1e-15) ||
		!near(got.CIn, want.CIn, 1e-15) || !near(got.CNoise, want.CNoise, 1e-15) {
		t.Errorf("Coeffs(4) = %+v, want %+v", got, want)
	}
}

// TestEDMUnitVariance holds the two requirements of EDM Sec. 5: for data of
// variance sigma_data^2 the network's input c_in (y + n) has unit variance, and
// so has its effective training target (y - c_skip (y + n)) / c_out.
func TestEDMUnitVariance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, sigma, c := drawCase(t)
		varY, varN := p.SigmaData*p.SigmaData, sigma*sigma
		if in := c.CIn * c.CIn * (varY + varN); !near(in, 1, 1e-13) {
			t.Errorf("variance of the input = %v at sigma %g", in, sigma)
		}
		// 1 - c_skip cancels at low noise; its closed form does not.
		rest := varN / (varY + varN)
		target := (rest*rest*varY + c.CSkip*c.CSkip*varN) / (c.COut * c.COut)
		if !near(target, 1, 1e-13) {
			t.Errorf("variance of the target = %v at sigma %g", target, sigma)
		}
	})
}

// TestEDMSkipIsOptimal holds the third requirement of EDM Sec. 5: no other
// c_skip keeps the target at unit variance with a smaller c_out.
func TestEDMSkipIsOptimal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, sigma, c := drawCase(t)
		out2 := func(skip float64) float64 {
			return (1-skip)*(1-skip)*p.SigmaData*p.SigmaData + skip*skip*sigma*sigma
		}
		other := rapid.Float64Range(-2, 3).Draw(t, "c_skip")
		if out2(other) < c.COut*c.COut*(1-1e-9) {
			t.Errorf("c_skip %g gives c_out^2 %g < %g at sigma %g", other, out2(other), c.COut*c.COut, sigma)
		}
	})
}

// TestEDMZeroNetworkLoss: with F = 0 the denoiser is c_skip x, and the loss
// weighted by (sigma^2 + sigma_data^2) / (sigma sigma_data)^2 is 1 at every
// noise level.
func TestEDMZeroNetworkLoss(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := DefaultEDM()
		sigma := math.Exp(rapid.Float64Range(-6, 6).Draw(t, "ln sigma"))
		c := p.Coeffs(sigma)
		varY, varN := p.SigmaData*p.SigmaData, sigma*sigma
		loss := (varY + varN) / (varY * varN) * ((c.CSkip-1)*(c.CSkip-1)*varY + c.CSkip*c.CSkip*varN)
		if !near(loss, 1, 1e-8) {
			t.Errorf("loss %v at sigma %g, want 1", loss, sigma)
		}
	})
}

// TestEDMLimits: at no noise the denoiser is the identity; at overwhelming
// noise it is the network alone, scaled to the data.
func TestEDMLimits(t *testing.T) {
	p := DefaultEDM()
	if c := p.Coeffs(1e-200); c.CSkip != 1 || c.COut > 1e-199 || c.CIn != 2 {
		t.Errorf("Coeffs at the low end = %+v", c)
	}
	if c := p.Coeffs(1e200); c.CSkip != 0 || !near(c.COut, p.SigmaData, 1e-15) || !near(c.CIn, 1e-200, 1e-15) {
		t.Errorf("Coeffs at the high end = %+v", c)
	}
	if c := p.Coeffs(1); c.CNoise != 0 {
		t.Errorf("c_noise(1) = %g, want 0", c.CNoise)
	}
}
