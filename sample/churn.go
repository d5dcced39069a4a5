package sample

import "math"

// churnDraws is the number of draws of solvers with churn: one a step.
func churnDraws(r *run) int {
	if r.opts.SChurn == 0 {
		return 0
	}
	return r.numSteps()
}

// raised returns the noise level that churn takes step i to, and whether that
// is above the step's own (EDM Alg. 2, line 5). Outside [S_min, S_max] and for
// S_churn = 0 it is not.
func (r *run) raised(i int) (sigma float64, up bool) {
	o, sigma := &r.opts, r.sigmas[i]
	if o.SChurn == 0 || sigma < o.SMin || sigma > o.SMax {
		return sigma, false
	}
	gamma := min(o.SChurn/float64(r.numSteps()), math.Sqrt2-1)
	hat := r.den.RoundSigma(sigma * (1 + gamma))
	return hat, hat > sigma
}

// churn raises r.x from the noise level of step i to that of tHat by adding
// fresh noise (EDM Alg. 2, lines 4 to 6) and returns tHat. The draw's number is
// i; scratch is overwritten.
func (r *run) churn(i int, scratch []float64) (tHat float64, err error) {
	sigma, t := r.sigmas[i], r.times[i]
	hat, up := r.raised(i)
	if !up {
		return t, nil
	}
	if err := r.normals(scratch, i, uint64(i)); err != nil {
		return 0, err
	}
	tHat = r.process.time(hat)
	before, after := r.process.s(sigma), r.process.s(hat)
	std := math.Sqrt(hat*hat-sigma*sigma) * r.opts.SNoise * after
	if ratio := after / before; ratio != 1 {
		for j := range r.x {
			r.x[j] *= ratio
		}
	}
	for j, n := range scratch {
		r.x[j] += std * n
	}
	return tHat, nil
}
