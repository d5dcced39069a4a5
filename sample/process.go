package sample

import (
	"math"

	"edm/model/precond"
)

// process is how the image and its noise depend on time: x(t) = s(t) (y +
// sigma(t) n) (EDM Sec. 2 and App. B.1). sigma rises with t from 0 at t = 0.
type process struct {
	sigma      func(t float64) float64
	sigmaDeriv func(t float64) float64
	time       func(sigma float64) float64 // the inverse of sigma
	// s and its derivative as functions of sigma and sigma'.
	s      func(sigma float64) float64
	sDeriv func(sigma, sigmaDeriv float64) float64
}

// scale returns s(t).
func (p *process) scale(t float64) float64 { return p.s(p.sigma(t)) }

// slope is the probability-flow ODE at one time (EDM Eq. 4 with the score
// (D - x/s) / sigma^2):
//
//	dx/dt = linear x + pull (x - scale D(x/scale; sigma))
//
// with linear = s'/s, pull = sigma'/sigma and scale = s.
type slope struct {
	sigma, linear, pull, scale float64
}

// plain reports whether the state is not scaled.
func (s slope) plain() bool { return s.linear == 0 && s.scale == 1 }

func (p *process) slope(t float64) slope {
	sigma, deriv := p.sigma(t), p.sigmaDeriv(t)
	s := p.s(sigma)
	return slope{sigma: sigma, linear: p.sDeriv(sigma, deriv) / s, pull: deriv / sigma, scale: s}
}

// newProcess returns the process of a schedule and a scaling by name, with VP's
// rate of noise.
func newProcess(schedule, scaling string, rate vpRate) process {
	p := process{
		sigma:      func(t float64) float64 { return t },
		sigmaDeriv: func(float64) float64 { return 1 },
		time:       func(sigma float64) float64 { return sigma },
		s:          func(float64) float64 { return 1 },
		sDeriv:     func(_, _ float64) float64 { return 0 },
	}
	switch schedule {
	case "ve": // a diffusion of constant rate: sigma^2 = t
		p.sigma = math.Sqrt
		p.sigmaDeriv = func(t float64) float64 { return 0.5 / math.Sqrt(t) }
		p.time = func(sigma float64) float64 { return sigma * sigma }
	case "vp":
		p.sigma, p.sigmaDeriv, p.time = rate.Sigma, rate.sigmaDeriv, rate.Time
	}
	if scaling == "vp" { // keeps the variance of x at 1 for data of variance 1
		p.s = func(sigma float64) float64 { return 1 / math.Sqrt(1+sigma*sigma) }
		p.sDeriv = func(sigma, deriv float64) float64 {
			return -sigma * deriv / math.Pow(1+sigma*sigma, 1.5)
		}
	}
	return p
}

// Schedules returns the names of the noise schedules sigma(t): linear (EDM), ve
// and vp.
func Schedules() []string { return []string{"linear", "ve", "vp"} }

// Scalings returns the names of the signal scalings s(t): none and vp.
func Scalings() []string { return []string{"none", "vp"} }

// vpRate is VP's rate of noise beta(t) = BetaD t + BetaMin (EDM Table 1) with
// sigma(t) and its inverse, of which precond has the formulas. BetaMin may be a
// little below 0 where a range asks for it.
type vpRate struct{ precond.VP }

// rises reports whether sigma rises from time t to 1.
func (r vpRate) rises(t float64) bool { return r.BetaD*t+r.BetaMin > 0 && r.BetaD+r.BetaMin > 0 }

func (r vpRate) sigmaDeriv(t float64) float64 {
	sigma := r.Sigma(t)
	return (r.BetaD*t + r.BetaMin) * (sigma + 1/sigma) / 2
}

// vpRateFor returns the rate for which sigma(epsilonS) = sigmaMin and sigma(1) =
// sigmaMax: two linear equations in the logarithms of sigma^2 + 1. Published
// constants come back where the range is the published one.
func vpRateFor(sigmaMin, sigmaMax, epsilonS float64) vpRate {
	low, high := math.Log1p(sigmaMin*sigmaMin), math.Log1p(sigmaMax*sigmaMax)
	betaD := 2 * (low/epsilonS - high) / (epsilonS - 1)
	return vpRate{precond.VP{BetaD: betaD, BetaMin: high - betaD/2}}
}
