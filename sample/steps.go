package sample

import (
	"fmt"
	"math"
	"slices"

	"edm/model/precond"
)

// stepsOf is one way to place the noise levels of the time steps.
type stepsOf struct {
	name  string
	about string
	// sigmaMin and sigmaMax are the published range.
	sigmaMin, sigmaMax float64
	usesRho            bool
	rho                float64 // published exponent, where usesRho
	// levels returns numSteps noise levels from o.SigmaMax down to o.SigmaMin.
	levels func(o *Options) []float64
}

// discretizations lists every placement.
func discretizations() []stepsOf {
	vp := vpRate{precond.DefaultVP()}
	return []stepsOf{
		{"edm", "even in sigma^(1/rho) (EDM Eq. 5), k-diffusion's karras", 0.002, 80, true, 7, karrasLevels},
		{"vp", "even in VP's time (EDM Table 1)", vp.Sigma(1e-3), vp.Sigma(1), false, 7, vpLevels},
		{"ve", "a geometric series (EDM Table 1, VE)", 0.02, 100, false, 7, exponentialLevels},
		{"iddpm", "evenly from iDDPM's 1000 cosine levels (EDM Table 1)", 0.002, 81, false, 7, iddpmLevels},
		{"exponential", "even in ln sigma, as ve, over EDM's range", 0.002, 80, false, 7, exponentialLevels},
		{"polyexponential", "a power rho of even steps in ln sigma; 1 is exponential", 0.002, 80, true, 1, polyexponentialLevels},
		{"linear", "even in sigma", 0.002, 80, false, 7, linearLevels},
	}
}

func discretizationByName(name string) (stepsOf, bool) {
	for _, d := range discretizations() {
		if d.name == name {
			return d, true
		}
	}
	return stepsOf{}, false
}

// Discretizations returns the names that Options.Disc takes.
func Discretizations() []string {
	var names []string
	for _, d := range discretizations() {
		names = append(names, d.name)
	}
	return names
}

// ramp returns i/(n-1), which is 0 for a single step.
func ramp(i, n int) float64 { return float64(i) / float64(max(n-1, 1)) }

// between returns numSteps levels level(ramp) with exact ends; a single step
// starts at SigmaMax.
func between(o *Options, level func(ramp float64) float64) []float64 {
	sigmas := make([]float64, o.NumSteps)
	for i := range sigmas {
		sigmas[i] = level(ramp(i, o.NumSteps))
	}
	sigmas[o.NumSteps-1] = o.SigmaMin
	sigmas[0] = o.SigmaMax
	return sigmas
}

// karrasLevels returns (sigma_max^(1/rho) + i/(N-1) (sigma_min^(1/rho) -
// sigma_max^(1/rho)))^rho (EDM Eq. 5).
func karrasLevels(o *Options) []float64 {
	from, to := math.Pow(o.SigmaMax, 1/o.Rho), math.Pow(o.SigmaMin, 1/o.Rho)
	return between(o, func(u float64) float64 { return math.Pow(from+u*(to-from), o.Rho) })
}

// vpLevels returns sigma(t) at even times from 1 to epsilon_s, for the rate of
// noise that has the range's ends there.
func vpLevels(o *Options) []float64 {
	rate := vpRateFor(o.SigmaMin, o.SigmaMax, o.EpsilonS)
	return between(o, func(u float64) float64 { return rate.Sigma(1 + u*(o.EpsilonS-1)) })
}

// exponentialLevels returns a geometric series.
func exponentialLevels(o *Options) []float64 {
	from, to := math.Log(o.SigmaMax), math.Log(o.SigmaMin)
	return between(o, func(u float64) float64 { return math.Exp(from + u*(to-from)) })
}

// polyexponentialLevels returns exp(ln sigma_min + (1 - i/(N-1))^rho (ln
// sigma_max - ln sigma_min)).
func polyexponentialLevels(o *Options) []float64 {
	from, to := math.Log(o.SigmaMax), math.Log(o.SigmaMin)
	return between(o, func(u float64) float64 { return math.Exp(to + math.Pow(1-u, o.Rho)*(from-to)) })
}

func linearLevels(o *Options) []float64 {
	return between(o, func(u float64) float64 { return o.SigmaMax + u*(o.SigmaMin-o.SigmaMax) })
}

// iddpmLevels picks from iDDPM's levels inside the range, at even distances of
// their numbers; more steps than levels repeat some.
func iddpmLevels(o *Options) []float64 {
	var inside []float64
	for _, u := range precond.DefaultIDDPM().Table() {
		if u >= o.SigmaMin && u <= o.SigmaMax {
			inside = append(inside, u)
		}
	}
	if len(inside) == 0 {
		return nil
	}
	sigmas := make([]float64, o.NumSteps)
	for i := range sigmas {
		sigmas[i] = inside[int(math.RoundToEven(float64(len(inside)-1)*ramp(i, o.NumSteps)))]
	}
	return sigmas
}

// plan is the time axis of a run: times t_0 .. t_N and the noise levels at
// them, both ending in 0.
type plan struct {
	process process
	times   []float64
	sigmas  []float64
	notes   []string
}

// newPlan returns the time steps of o as den supports them: the range clipped
// to the network's, with a note for each end that moved, and every level but
// the final 0 rounded.
func newPlan(den Denoiser, o Options) (plan, error) {
	p := plan{}
	if err := p.clip(den, &o); err != nil {
		return plan{}, err
	}
	disc, _ := discretizationByName(o.Disc)
	rate := vpRateFor(o.SigmaMin, o.SigmaMax, o.EpsilonS)
	if (o.Disc == "vp" || o.Schedule == "vp") && !rate.rises(o.EpsilonS) {
		return plan{}, fmt.Errorf("no VP process goes from sigma_min %g at time %g to sigma_max %g at time 1; lower sigma_min or change epsilon_s",
			o.SigmaMin, o.EpsilonS, o.SigmaMax)
	}
	p.process = newProcess(o.Schedule, o.Scaling, rate)
	if o.NumSteps == 0 { // an adaptive solver places its own
		p.sigmas = []float64{o.SigmaMax, o.SigmaMin, 0}
		p.setTimes()
		return p, nil
	}
	p.sigmas = disc.levels(&o)
	if len(p.sigmas) == 0 {
		return plan{}, fmt.Errorf("no level of %s lies between sigma_min %g and sigma_max %g; widen the range", o.Disc, o.SigmaMin, o.SigmaMax)
	}
	if err := p.round(den, o); err != nil {
		return plan{}, err
	}
	p.sigmas = append(p.sigmas, 0)
	p.setTimes()
	return p, nil
}

// clip narrows the range of o to the network's.
func (p *plan) clip(den Denoiser, o *Options) error {
	low, high := den.SigmaRange()
	lo, hi := max(o.SigmaMin, low), min(o.SigmaMax, high)
	if lo != o.SigmaMin {
		p.notes = append(p.notes, fmt.Sprintf("sigma_min %g raised to %g, the lowest noise level of the network", o.SigmaMin, lo))
	}
	if hi != o.SigmaMax {
		p.notes = append(p.notes, fmt.Sprintf("sigma_max %g lowered to %g, the highest noise level of the network", o.SigmaMax, hi))
	}
	if !(lo < hi) {
		return fmt.Errorf("noise levels %g to %g lie outside the network's %g to %g; change sigma_min or sigma_max",
			o.SigmaMin, o.SigmaMax, low, high)
	}
	o.SigmaMin, o.SigmaMax = lo, hi
	return nil
}

// round replaces every level by the nearest that den supports. Levels of a
// network with few of them may fall together; a step between equal ones would
// change nothing but the count, so they are left out, with a note.
func (p *plan) round(den Denoiser, o Options) error {
	last := math.Inf(1)
	for i, sigma := range p.sigmas {
		sigma = den.RoundSigma(sigma)
		if !(sigma > 0 && sigma <= last) || math.IsInf(sigma, 1) {
			return fmt.Errorf("noise level %d of %d is %g after %g with rho %g; want a rho nearer 7",
				i, o.NumSteps, sigma, last, o.Rho)
		}
		p.sigmas[i], last = sigma, sigma
	}
	before := len(p.sigmas)
	p.sigmas = slices.Compact(p.sigmas)
	if n := len(p.sigmas); n < before {
		p.notes = append(p.notes, fmt.Sprintf("%d steps become %d: the others round to the same noise levels of the network", before, n))
	}
	return nil
}

func (p *plan) setTimes() {
	p.times = make([]float64, len(p.sigmas))
	for i, sigma := range p.sigmas[:len(p.sigmas)-1] {
		p.times[i] = p.process.time(sigma)
	}
}
