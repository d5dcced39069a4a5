package sample

import "math"

// Churn mixes fresh noise into a deterministic solver (EDM Alg. 2): before a step it
// raises the noise level by a factor 1 + gamma. The zero value adds none.
type Churn struct {
	Amount float64 // S_churn: of fresh noise over the whole run
	Min    float64 // S_min: lowest noise level with fresh noise
	Max    float64 // S_max: highest noise level with fresh noise; may be infinite
	Noise  float64 // S_noise: standard deviation of the fresh noise
}

// faults returns constants that are impossible or without effect.
func (c Churn) faults() faults {
	var f faults
	f.atLeast0("Churn.Amount", c.Amount)
	if c.Amount == 0 {
		return f
	}
	f.atLeast0("Churn.Min", c.Min)
	f.check(c.Max >= 0, "Churn.Max is %g, want a number of at least 0", c.Max)
	f.check(!(c.Min > c.Max), "Churn.Min is %g, want at most Churn.Max (%g)", c.Min, c.Max)
	f.positive("Churn.Noise", c.Noise)
	return f
}

// draws returns one a step, or none without churn.
func (c Churn) draws(steps int) int {
	if c.Amount == 0 {
		return 0
	}
	return steps
}

func (c Churn) wants(r *Run, draw int) bool {
	_, up := c.sigmaHat(r, draw)
	return up
}

// sigmaHat returns the noise level that churn takes step i to, and whether that is
// above the step's own (EDM Alg. 2, line 5). Outside [Min, Max] and for Amount = 0 it
// is not.
func (c Churn) sigmaHat(r *Run, i int) (sigma float64, up bool) {
	sigma = r.Sigmas[i]
	if c.Amount == 0 || sigma < c.Min || sigma > c.Max {
		return sigma, false
	}
	gamma := min(c.Amount/float64(r.Steps()), math.Sqrt2-1)
	hat := r.den.RoundSigma(sigma * (1 + gamma))
	return hat, hat > sigma
}

// raise raises r.X from the noise level of step i to that of tHat by adding fresh
// noise (EDM Alg. 2, lines 4 to 6) and returns tHat. The draw's number is i; scratch
// is overwritten.
func (c Churn) raise(r *Run, i int, scratch []float64) (tHat float64, err error) {
	sigma, t := r.Sigmas[i], r.Times[i]
	hat, up := c.sigmaHat(r, i)
	if !up {
		return t, nil
	}
	if err := r.Draw(scratch, i, uint64(i)); err != nil {
		return 0, err
	}
	tHat = r.process.Schedule.Time(hat)
	before, after := r.process.Scaling.S(sigma), r.process.Scaling.S(hat)
	std := math.Sqrt(hat*hat-sigma*sigma) * c.Noise * after
	if ratio := after / before; ratio != 1 {
		for j := range r.X {
			r.X[j] *= ratio
		}
	}
	for j, n := range scratch {
		r.X[j] += std * n
	}
	return tHat, nil
}
