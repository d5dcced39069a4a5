package sample

import (
	"fmt"
	"math"
	"slices"

	"edm/model/noise"
)

// plan is the time axis of a run: times t_0 .. t_N and the noise levels at
// them, both ending in 0.
type plan struct {
	process Process
	times   []float64
	sigmas  []float64
	notes   []string
}

// newPlan returns the time steps of o as den supports them: the range clipped
// to the network's, with a note for each end that moved, and every level but
// the final 0 rounded.
func newPlan(den Denoiser, o Options) (plan, error) {
	p := plan{process: o.Process.filled()}
	levels, err := p.clip(den, o.Levels)
	if err != nil {
		return plan{}, err
	}
	if err := p.fit(levels); err != nil {
		return plan{}, err
	}
	if o.NumSteps == 0 { // an adaptive solver places its own
		p.sigmas = levels.Sigmas(2)
	} else {
		p.sigmas = levels.Sigmas(o.NumSteps)
	}
	if len(p.sigmas) == 0 {
		low, high, _ := ends(levels)
		return plan{}, fmt.Errorf("no level of %T lies between sigma_min %g and sigma_max %g; widen the range", levels, low, high)
	}
	if o.NumSteps > 0 {
		if err := p.round(den, o); err != nil {
			return plan{}, err
		}
	}
	if err := p.suits(o.Solver); err != nil {
		return plan{}, err
	}
	p.sigmas = append(p.sigmas, 0)
	p.setTimes()
	return p, nil
}

// suits asks the solver whether it can start from the lowest level.
func (p *plan) suits(s Solver) error {
	if c, ok := s.(interface{ checkLevels(lowest float64) error }); ok {
		return c.checkLevels(p.sigmas[len(p.sigmas)-1])
	}
	return nil
}

// clip narrows the range of levels to the network's.
func (p *plan) clip(den Denoiser, l Levels) (Levels, error) {
	sigmaMin, sigmaMax, err := ends(l)
	if err != nil {
		return nil, err
	}
	low, high := den.SigmaRange()
	lo, hi := max(sigmaMin, low), min(sigmaMax, high)
	if lo != sigmaMin {
		p.notes = append(p.notes, fmt.Sprintf("sigma_min %g raised to %g, the lowest noise level of the network", sigmaMin, lo))
	}
	if hi != sigmaMax {
		p.notes = append(p.notes, fmt.Sprintf("sigma_max %g lowered to %g, the highest noise level of the network", sigmaMax, hi))
	}
	if !(lo < hi) {
		return nil, fmt.Errorf("noise levels %g to %g lie outside the network's %g to %g; change sigma_min or sigma_max",
			sigmaMin, sigmaMax, low, high)
	}
	if r, ok := l.(Ranged); ok {
		return r.Within(lo, hi), nil
	}
	return clipped{l, low, high}, nil
}

// ends returns the ends of a placement's range.
func ends(l Levels) (low, high float64, err error) {
	if r, ok := l.(Ranged); ok {
		low, high = r.Range()
		return low, high, nil
	}
	sigmas := l.Sigmas(2)
	if len(sigmas) == 0 {
		return 0, 0, fmt.Errorf("%T has no noise levels, want some", l)
	}
	return sigmas[len(sigmas)-1], sigmas[0], nil
}

// clipped is a placement whose levels are moved into a range.
type clipped struct {
	Levels
	low, high float64
}

func (c clipped) Sigmas(n int) []float64 {
	sigmas := slices.Clone(c.Levels.Sigmas(n))
	for i, v := range sigmas {
		sigmas[i] = min(max(v, c.low), c.high)
	}
	return sigmas
}

// fit fits the VP of levels, and a FittedVP, to the range.
func (p *plan) fit(l Levels) error {
	low, high, err := ends(l)
	if err != nil {
		return err
	}
	var epsilons []float64
	if s, ok := p.process.Schedule.(FittedVP); ok {
		p.process.Schedule = noise.FitVP(low, high, s.EpsilonS)
		epsilons = append(epsilons, s.EpsilonS)
	}
	if v, ok := l.(VPLevels); ok {
		epsilons = append(epsilons, v.EpsilonS)
	}
	for _, epsilon := range epsilons {
		if !noise.FitVP(low, high, epsilon).Rises(epsilon) {
			return fmt.Errorf("no VP process goes from sigma_min %g at time %g to sigma_max %g at time 1; lower sigma_min or change epsilon_s",
				low, epsilon, high)
		}
	}
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
			return fmt.Errorf("noise level %d of %d is %g after %g with %+v; want falling levels, and an exponent nearer 7",
				i, o.NumSteps, sigma, last, o.Levels)
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
		p.times[i] = p.process.Schedule.Time(sigma)
	}
}
