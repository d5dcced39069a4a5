package sample

import "math"

// use is a set of the constants that a solver reads.
type use uint

const (
	useProcess use = 1 << iota // Schedule and Scaling
	useChurn                   // SChurn, SMin, SMax
	useNoise                   // SNoise
	useAlpha
	useEta
	useBeta
	useR
	useOrder
	useCorrections
	useSNR
	useStepSize
	useTolerance // RTol, ATol, MaxNFE
)

// constant is one option that only some solvers read.
type constant struct {
	name  string // on the command line
	use   use
	inert float64 // its value where the solver does not read it
	get   func(o *Settings) float64
	ok    func(v float64) bool
	want  string
}

// constants lists them in the order of Options.
func constants() []constant {
	positive := func(v float64) bool { return v > 0 && finite(v) }
	atLeast0 := func(v float64) bool { return v >= 0 && finite(v) }
	fraction := func(v float64) bool { return v > 0 && v <= 1 }
	return []constant{
		{"alpha", useAlpha, 1, func(o *Settings) float64 { return o.Alpha }, fraction, "a number above 0 and at most 1"},
		{"S_churn", useChurn, 0, func(o *Settings) float64 { return o.SChurn }, atLeast0, "a finite number of at least 0"},
		{"S_min", useChurn, 0, func(o *Settings) float64 { return o.SMin }, atLeast0, "a finite number of at least 0"},
		{"S_max", useChurn, math.Inf(1), func(o *Settings) float64 { return o.SMax }, func(v float64) bool { return v >= 0 }, "a number of at least 0"},
		{"S_noise", useNoise, 1, func(o *Settings) float64 { return o.SNoise }, positive, "a finite number above 0"},
		{"eta", useEta, 0, func(o *Settings) float64 { return o.Eta }, func(v float64) bool { return v >= 0 && v <= 1 }, "a number from 0 to 1"},
		{"beta", useBeta, 0, func(o *Settings) float64 { return o.Beta }, atLeast0, "a finite number of at least 0"},
		{"r", useR, 0, func(o *Settings) float64 { return o.R }, fraction, "a number above 0 and at most 1"},
		{"order", useOrder, 0, func(o *Settings) float64 { return float64(o.Order) }, func(v float64) bool { return v >= 1 && v <= 8 }, "1 to 8"},
		{"corrections", useCorrections, 0, func(o *Settings) float64 { return float64(o.Corrections) }, func(v float64) bool { return v >= 1 && v <= maxSteps }, "at least 1"},
		{"snr", useSNR, 0, func(o *Settings) float64 { return o.SNR }, positive, "a finite number above 0"},
		{"step_size", useStepSize, 0, func(o *Settings) float64 { return o.StepSize }, positive, "a finite number above 0"},
		{"rtol", useTolerance, 0, func(o *Settings) float64 { return o.RTol }, positive, "a finite number above 0"},
		{"atol", useTolerance, 0, func(o *Settings) float64 { return o.ATol }, positive, "a finite number above 0"},
		{"max_nfe", useTolerance, 0, func(o *Settings) float64 { return float64(o.MaxNFE) }, func(v float64) bool { return v >= 1 }, "at least 1"},
	}
}

// solversUsing returns the names of the solvers that read a constant.
func solversUsing(u use) []string {
	var names []string
	for _, s := range solvers() {
		if s.uses&u != 0 {
			names = append(names, s.name)
		}
	}
	return names
}
