package sample

import (
	"math"

	"edm/model/noise"
	"edm/model/precond"
)

// Levels places the noise levels of the time steps. Each placement of this package is a
// struct with its own constants; a type with this method is a placement as well.
//
// New calls a method Validate() error of a placement that has one. Levels outside of
// the network's range are moved to its end, but a Ranged placement is asked for another
// one inside of it.
type Levels interface {
	// Sigmas returns n noise levels above 0 in falling order, in the units of the data.
	// The step from the last of them leads to 0. For n = 2 they are the ends of the
	// range. Fewer levels than n are as many steps; none are an error of New.
	Sigmas(n int) []float64
}

// Ranged is a placement that fills a range of noise levels.
type Ranged interface {
	Levels
	// Range returns the ends of the range.
	Range() (low, high float64)
	// Within returns the placement in that part of the range.
	Within(low, high float64) Levels
}

// Karras is even in sigma^(1/Rho) (EDM Eq. 5):
//
//	sigma_i = (Max^(1/Rho) + i/(N-1) (Min^(1/Rho) - Max^(1/Rho)))^Rho
type Karras struct {
	Min, Max float64 // lowest and highest noise level
	Rho      float64 // exponent: the higher, the more steps at low noise
}

// DefaultKarras returns EDM's range, 0.002 to 80, and rho 7.
func DefaultKarras() Karras { return Karras{Min: 0.002, Max: 80, Rho: 7} }

// Sigmas implements Levels.
func (l Karras) Sigmas(n int) []float64 {
	from, to := math.Pow(l.Max, 1/l.Rho), math.Pow(l.Min, 1/l.Rho)
	return between(l.Min, l.Max, n, func(u float64) float64 { return math.Pow(from+u*(to-from), l.Rho) })
}

// Range returns Min and Max.
func (l Karras) Range() (low, high float64) { return l.Min, l.Max }

// Within returns the placement from low to high.
func (l Karras) Within(low, high float64) Levels {
	l.Min, l.Max = low, high
	return l
}

// Validate returns the faults of the constants.
func (l Karras) Validate() error {
	f := rangeFaults(l.Min, l.Max)
	f.positive("Rho", l.Rho)
	return f.err(l)
}

// Geometric is a geometric series: even in ln sigma (EDM Table 1, VE).
type Geometric struct {
	Min, Max float64 // lowest and highest noise level
}

// DefaultGeometric returns VE's range, 0.02 to 100.
func DefaultGeometric() Geometric { return Geometric{Min: 0.02, Max: 100} }

// Sigmas implements Levels.
func (l Geometric) Sigmas(n int) []float64 {
	from, to := math.Log(l.Max), math.Log(l.Min)
	return between(l.Min, l.Max, n, func(u float64) float64 { return math.Exp(from + u*(to-from)) })
}

// Range returns Min and Max.
func (l Geometric) Range() (low, high float64) { return l.Min, l.Max }

// Within returns the placement from low to high.
func (l Geometric) Within(low, high float64) Levels {
	l.Min, l.Max = low, high
	return l
}

// Validate returns the faults of the constants.
func (l Geometric) Validate() error { return rangeFaults(l.Min, l.Max).err(l) }

// PolyExponential is a power of even steps in ln sigma:
//
//	ln sigma_i = ln Min + (1 - i/(N-1))^Rho (ln Max - ln Min)
type PolyExponential struct {
	Min, Max float64 // lowest and highest noise level
	Rho      float64 // exponent; 1 is Geometric
}

// Sigmas implements Levels.
func (l PolyExponential) Sigmas(n int) []float64 {
	from, to := math.Log(l.Max), math.Log(l.Min)
	return between(l.Min, l.Max, n, func(u float64) float64 { return math.Exp(to + math.Pow(1-u, l.Rho)*(from-to)) })
}

// Range returns Min and Max.
func (l PolyExponential) Range() (low, high float64) { return l.Min, l.Max }

// Within returns the placement from low to high.
func (l PolyExponential) Within(low, high float64) Levels {
	l.Min, l.Max = low, high
	return l
}

// Validate returns the faults of the constants.
func (l PolyExponential) Validate() error {
	f := rangeFaults(l.Min, l.Max)
	f.positive("Rho", l.Rho)
	return f.err(l)
}

// LinearLevels is even in sigma.
type LinearLevels struct {
	Min, Max float64 // lowest and highest noise level
}

// Sigmas implements Levels.
func (l LinearLevels) Sigmas(n int) []float64 {
	return between(l.Min, l.Max, n, func(u float64) float64 { return l.Max + u*(l.Min-l.Max) })
}

// Range returns Min and Max.
func (l LinearLevels) Range() (low, high float64) { return l.Min, l.Max }

// Within returns the placement from low to high.
func (l LinearLevels) Within(low, high float64) Levels {
	l.Min, l.Max = low, high
	return l
}

// Validate returns the faults of the constants.
func (l LinearLevels) Validate() error { return rangeFaults(l.Min, l.Max).err(l) }

// VPLevels is even in VP's time, from 1 to EpsilonS (EDM Table 1, VP), for the VP whose
// noise levels there are Max and Min.
type VPLevels struct {
	Min, Max float64 // lowest and highest noise level
	EpsilonS float64 // last time
}

// DefaultVPLevels returns the range of the published VP from time 1 to 0.001.
func DefaultVPLevels() VPLevels {
	vp := noise.DefaultVP()
	return VPLevels{Min: vp.Sigma(1e-3), Max: vp.Sigma(1), EpsilonS: 1e-3}
}

// Sigmas implements Levels.
func (l VPLevels) Sigmas(n int) []float64 {
	vp := noise.FitVP(l.Min, l.Max, l.EpsilonS)
	return between(l.Min, l.Max, n, func(u float64) float64 { return vp.Sigma(1 + u*(l.EpsilonS-1)) })
}

// Range returns Min and Max.
func (l VPLevels) Range() (low, high float64) { return l.Min, l.Max }

// Within returns the placement from low to high.
func (l VPLevels) Within(low, high float64) Levels {
	l.Min, l.Max = low, high
	return l
}

// Validate returns the faults of the constants.
func (l VPLevels) Validate() error {
	f := rangeFaults(l.Min, l.Max)
	f.epsilonS(l.EpsilonS)
	return f.err(l)
}

// IDDPMLevels are evenly chosen, by their numbers, from iDDPM's 1000 cosine levels
// inside the range (EDM Table 1, iDDPM). More steps than levels repeat some.
type IDDPMLevels struct {
	Min, Max float64 // lowest and highest noise level
}

// DefaultIDDPMLevels returns EDM's range for iDDPM, 0.002 to 81.
func DefaultIDDPMLevels() IDDPMLevels { return IDDPMLevels{Min: 0.002, Max: 81} }

// Sigmas implements Levels.
func (l IDDPMLevels) Sigmas(n int) []float64 {
	var inside []float64
	for _, u := range precond.DefaultIDDPM().Table() {
		if u >= l.Min && u <= l.Max {
			inside = append(inside, u)
		}
	}
	if len(inside) == 0 {
		return nil
	}
	sigmas := make([]float64, n)
	for i := range sigmas {
		sigmas[i] = inside[int(math.RoundToEven(float64(len(inside)-1)*ramp(i, n)))]
	}
	return sigmas
}

// Range returns Min and Max.
func (l IDDPMLevels) Range() (low, high float64) { return l.Min, l.Max }

// Within returns the placement from low to high.
func (l IDDPMLevels) Within(low, high float64) Levels {
	l.Min, l.Max = low, high
	return l
}

// Validate returns the faults of the constants.
func (l IDDPMLevels) Validate() error { return rangeFaults(l.Min, l.Max).err(l) }

// FittedVP is the schedule of the VP that fits the levels: the lowest of the run's is
// at time EpsilonS, and the highest at time 1. New replaces it by a noise.VP.
type FittedVP struct {
	noise.VP         // the published one, until it is fitted
	EpsilonS float64 // the time of the lowest noise level
}

// DefaultFittedVP returns an EpsilonS of 0.001.
func DefaultFittedVP() FittedVP { return FittedVP{VP: noise.DefaultVP(), EpsilonS: 1e-3} }

// Validate returns the faults of the constants.
func (s FittedVP) Validate() error {
	var f faults
	f.epsilonS(s.EpsilonS)
	return f.err(s)
}

// ramp returns i/(n-1), which is 0 for a single step.
func ramp(i, n int) float64 { return float64(i) / float64(max(n-1, 1)) }

// between returns n levels level(ramp) with exact ends; a single step starts at high.
func between(low, high float64, n int, level func(ramp float64) float64) []float64 {
	sigmas := make([]float64, n)
	for i := range sigmas {
		sigmas[i] = level(ramp(i, n))
	}
	sigmas[n-1] = low
	sigmas[0] = high
	return sigmas
}

// rangeFaults returns the faults of a range of noise levels.
func rangeFaults(low, high float64) faults {
	var f faults
	f.positive("Min", low)
	f.positive("Max", high)
	f.check(!(low >= high), "Min is %g, want less than Max (%g)", low, high)
	return f
}

func (f *faults) epsilonS(v float64) {
	f.check(v > 0 && v < 1, "EpsilonS is %g, want a number between 0 and 1", v)
}
