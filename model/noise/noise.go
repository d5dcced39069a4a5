// Package noise has the processes that turn an image y into noise (EDM Sec. 2):
//
//	x(t) = s(t) (y + sigma(t) n),  n a unit normal.
//
// A Schedule is sigma(t), a Scaling s(t). The rows "Schedule" and "Scaling" of EDM
// Table 1 are values of this package, and a type with the same methods is a schedule
// or a scaling as well.
package noise

import "math"

// Schedule is the noise level sigma(t), in the units of the data. It rises with t.
type Schedule interface {
	Sigma(t float64) float64    // noise level at time t
	Deriv(t float64) float64    // d sigma / dt at time t
	Time(sigma float64) float64 // the inverse of Sigma
}

// Scaling is the factor s(t) of the image and its noise, as a function of the noise
// level: s(t) = S(sigma(t)).
type Scaling interface {
	S(sigma float64) float64
	// Deriv returns ds/dt where the noise level is sigma and rises by deriv a unit of
	// time.
	Deriv(sigma, deriv float64) float64
}

// Linear is sigma(t) = t (EDM Table 1, last column).
type Linear struct{}

// Sigma returns t.
func (Linear) Sigma(t float64) float64 { return t }

// Deriv returns 1.
func (Linear) Deriv(float64) float64 { return 1 }

// Time returns sigma.
func (Linear) Time(sigma float64) float64 { return sigma }

// VE is sigma(t) = sqrt(t), a diffusion of constant rate (EDM Table 1, second column).
type VE struct{}

// Sigma returns sqrt(t).
func (VE) Sigma(t float64) float64 { return math.Sqrt(t) }

// Deriv returns 1 / (2 sqrt(t)).
func (VE) Deriv(t float64) float64 { return 0.5 / math.Sqrt(t) }

// Time returns sigma^2.
func (VE) Time(sigma float64) float64 { return sigma * sigma }

// VP is the schedule of the variance preserving SDE, whose rate of noise is beta(t) =
// BetaD t + BetaMin (EDM Table 1, first column):
//
//	sigma(t) = sqrt(exp(BetaD t^2 / 2 + BetaMin t) - 1)
//
// BetaMin may be a little below 0 (see FitVP).
type VP struct {
	BetaD   float64 // rise of beta over t in [0, 1]
	BetaMin float64 // beta at t = 0
}

// DefaultVP returns the published constants: BetaD 19.9 and BetaMin 0.1.
func DefaultVP() VP { return VP{BetaD: 19.9, BetaMin: 0.1} }

// FitVP returns the VP with Sigma(epsilon) = low and Sigma(1) = high: two linear
// equations in the logarithms of sigma^2 + 1. The published constants come back for
// their own ends. Where no VP has these ends, Rises(epsilon) is false.
func FitVP(low, high, epsilon float64) VP {
	a, b := math.Log1p(low*low), math.Log1p(high*high)
	betaD := 2 * (a/epsilon - b) / (epsilon - 1)
	return VP{BetaD: betaD, BetaMin: b - betaD/2}
}

// Rises reports whether sigma rises from time t to 1.
func (p VP) Rises(t float64) bool { return p.BetaD*t+p.BetaMin > 0 && p.BetaD+p.BetaMin > 0 }

// Sigma returns the noise level at time t >= 0.
func (p VP) Sigma(t float64) float64 {
	// Expm1 keeps the digits that exp(...) - 1 loses at small times.
	return math.Sqrt(math.Expm1((p.BetaD*t/2 + p.BetaMin) * t))
}

// Deriv returns beta(t) (sigma + 1/sigma) / 2.
func (p VP) Deriv(t float64) float64 {
	sigma := p.Sigma(t)
	return (p.BetaD*t + p.BetaMin) * (sigma + 1/sigma) / 2
}

// Time returns the t at which Sigma is sigma.
func (p VP) Time(sigma float64) float64 {
	l := math.Log1p(sigma * sigma)
	// The root of BetaD t^2/2 + BetaMin t = l in the form without cancellation.
	return 2 * l / (p.BetaMin + math.Sqrt(p.BetaMin*p.BetaMin+2*p.BetaD*l))
}

// Unscaled is s(t) = 1.
type Unscaled struct{}

// S returns 1.
func (Unscaled) S(float64) float64 { return 1 }

// Deriv returns 0.
func (Unscaled) Deriv(_, _ float64) float64 { return 0 }

// VPScaling is s(t) = 1 / sqrt(1 + sigma^2), which keeps the variance of x at 1 for
// data of variance 1 (EDM Table 1, first column).
type VPScaling struct{}

// S returns 1 / sqrt(1 + sigma^2).
func (VPScaling) S(sigma float64) float64 { return 1 / math.Sqrt(1+sigma*sigma) }

// Deriv returns -sigma sigma' / (1 + sigma^2)^(3/2).
func (VPScaling) Deriv(sigma, deriv float64) float64 {
	return -sigma * deriv / math.Pow(1+sigma*sigma, 1.5)
}
