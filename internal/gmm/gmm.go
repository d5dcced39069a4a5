// Package gmm is a denoiser known in closed form: data drawn from an equal
// mixture of isotropic Gaussians. Whatever takes a denoiser can be held against
// it to rounding, where a trained network would leave only an impression.
package gmm

import (
	"context"
	"errors"
	"fmt"
	"math"
)

// Mixture is the data distribution (1/K) sum_k N(mu_k, S0^2 I). It is immutable
// and safe for concurrent use, and has the methods of a sampler's denoiser.
type Mixture struct {
	means []float64 // [K, dim]
	dim   int
	s0    float64
}

// New returns the mixture of the centres means, [K, dim] row-major, with
// standard deviation s0 about each; s0 = 0 puts all mass on the centres. The
// means are copied.
func New(means []float64, dim int, s0 float64) (*Mixture, error) {
	if dim < 1 || len(means) == 0 || len(means)%dim != 0 {
		return nil, fmt.Errorf("gmm: %d numbers are not one or more centres of dimension %d", len(means), dim)
	}
	if !(s0 >= 0) || math.IsInf(s0, 1) {
		return nil, fmt.Errorf("gmm: standard deviation is %g, want a finite number of at least 0", s0)
	}
	for i, v := range means {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("gmm: centre %d has the coordinate %g, want finite numbers", i/dim, v)
		}
	}
	return &Mixture{append([]float64(nil), means...), dim, s0}, nil
}

// Dim returns the number of coordinates of a point.
func (m *Mixture) Dim() int { return m.dim }

// SigmaRange returns 0 and +Inf: every noise level is supported.
func (m *Mixture) SigmaRange() (min, max float64) { return 0, math.Inf(1) }

// RoundSigma returns sigma.
func (m *Mixture) RoundSigma(sigma float64) float64 { return sigma }

// Denoise writes D(x; sigma), the posterior mean E[y | y + sigma n = x], to dst
// (the minimiser of EDM Eq. 2). x and dst are [N, Dim] row-major and do not
// alias; sigma is positive. Each row depends on its own row of x alone. labels
// must be nil: the mixture has no classes. It does not allocate.
func (m *Mixture) Denoise(ctx context.Context, dst, x []float64, sigma float64, labels []float32) error {
	if labels != nil {
		return errors.New("gmm: the mixture is unconditional, want no labels")
	}
	if len(dst) != len(x) || len(x)%m.dim != 0 {
		return fmt.Errorf("gmm: dst has %d and x %d numbers, want equal multiples of %d", len(dst), len(x), m.dim)
	}
	if !(sigma > 0) {
		return fmt.Errorf("gmm: sigma is %g, want a number above 0", sigma)
	}
	for at := 0; at < len(x); at += m.dim {
		if err := ctx.Err(); err != nil {
			return err
		}
		m.posteriorMean(dst[at:at+m.dim], x[at:at+m.dim], sigma)
	}
	return nil
}

// posteriorMean denoises one point:
//
//	D = (s0^2 x + sigma^2 sum_k w_k mu_k) / (s0^2 + sigma^2)
//	w_k proportional to exp(-|x - mu_k|^2 / (2 (s0^2 + sigma^2)))
func (m *Mixture) posteriorMean(dst, x []float64, sigma float64) {
	s2 := m.s0*m.s0 + sigma*sigma
	clear(dst)
	_, total := m.weigh(x, s2, dst)
	skip := m.s0 * m.s0 / s2
	pull := sigma * sigma / s2 / total
	for j := range dst {
		dst[j] = skip*x[j] + pull*dst[j]
	}
}

// weigh returns the sum over centres of exp(-|x - mu_k|^2 / (2 s2)) as total
// exp(best), best being the largest exponent, and adds the centres weighted
// likewise, sum_k exp(. - best) mu_k, to sum, unless that is nil. The terms are
// rescaled as they come, relative to the largest so far, so that no scratch is
// needed and none overflows.
func (m *Mixture) weigh(x []float64, s2 float64, sum []float64) (best, total float64) {
	best = math.Inf(-1)
	for at := 0; at < len(m.means); at += m.dim {
		mu := m.means[at : at+m.dim]
		logW := -squaredDistance(x, mu) / (2 * s2)
		if logW > best {
			shrink := math.Exp(best - logW)
			for j := range sum {
				sum[j] *= shrink
			}
			total *= shrink
			best = logW
		}
		w := math.Exp(logW - best)
		total += w
		for j := range sum {
			sum[j] += w * mu[j]
		}
	}
	return best, total
}

func squaredDistance(a, b []float64) float64 {
	sum := 0.0
	for j, v := range a {
		d := v - b[j]
		sum += d * d
	}
	return sum
}
