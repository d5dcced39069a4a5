package sample

import (
	"fmt"
	"math"
)

// churn raises r.x from the noise level of step i to tHat by adding fresh noise
// (EDM Alg. 2, lines 4 to 6) and returns tHat. Outside [S_min, S_max] and for
// S_churn = 0 it changes nothing and draws nothing. The draw's number is i;
// scratch is overwritten.
func (r *run) churn(i int, scratch []float64) (tHat float64, err error) {
	t := r.sigmas[i]
	o := &r.opts
	if o.SChurn == 0 || t < o.SMin || t > o.SMax {
		return t, nil
	}
	gamma := min(o.SChurn/float64(r.numSteps()), math.Sqrt2-1)
	tHat = r.den.RoundSigma(t * (1 + gamma))
	if tHat <= t {
		return t, nil
	}
	if err := r.noise(scratch, uint64(i)); err != nil {
		return 0, fmt.Errorf("sample: step %d of %d: %w", i, r.numSteps(), err)
	}
	std := math.Sqrt(tHat*tHat-t*t) * o.SNoise
	for j, n := range scratch {
		r.x[j] += std * n
	}
	return tHat, nil
}
