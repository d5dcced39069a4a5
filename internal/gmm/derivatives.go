package gmm

import (
	"context"
	"fmt"
	"math"
)

// LogDensity writes ln p(x; sigma), the density of y + sigma n in nats, of each
// row of x [N, Dim] to dst [N]; sigma = 0 gives that of the data. It does not
// allocate.
func (m *Mixture) LogDensity(dst, x []float64, sigma float64) error {
	if len(x) != len(dst)*m.dim {
		return fmt.Errorf("gmm: %d log densities of %d numbers, want %d numbers each", len(dst), len(x), m.dim)
	}
	s2 := m.s0*m.s0 + sigma*sigma
	if !(sigma >= 0 && s2 > 0) || math.IsInf(s2, 1) {
		return fmt.Errorf("gmm: no density at sigma %g with standard deviation %g", sigma, m.s0)
	}
	norm := -0.5*float64(m.dim)*math.Log(2*math.Pi*s2) - math.Log(float64(len(m.means)/m.dim))
	for i := range dst {
		best, total := m.weigh(x[i*m.dim:(i+1)*m.dim], s2, nil)
		dst[i] = norm + best + math.Log(total)
	}
	return nil
}

// VJP writes D(x; sigma) to dst and J^T v to grad, J being the derivative of D
// by x and v the cotangent; all are [N, Dim] and do not alias. labels must be
// nil. It does not allocate.
//
// J is symmetric, the posterior's covariance over sigma^2:
//
//	J = s0^2/s2 I + sigma^2/s2^2 sum_k w_k (mu_k - m)(mu_k - m)^T
//
// with s2 = s0^2 + sigma^2 and m = sum_k w_k mu_k.
func (m *Mixture) VJP(ctx context.Context, dst, grad, x []float64, sigma float64, cotangent []float64, labels []float32) error {
	if len(grad) != len(x) || len(cotangent) != len(x) {
		return fmt.Errorf("gmm: gradient of %d, cotangent of %d and x of %d numbers, want equal numbers", len(grad), len(cotangent), len(x))
	}
	if err := m.Denoise(ctx, dst, x, sigma, labels); err != nil {
		return err
	}
	for at := 0; at < len(x); at += m.dim {
		end := at + m.dim
		m.transpose(grad[at:end], dst[at:end], x[at:end], cotangent[at:end], sigma)
	}
	return nil
}

// transpose computes J^T v of one point from its posterior mean d. Of the
// second sum only the centres' deviations from their mean are summed, so that
// nothing cancels.
func (m *Mixture) transpose(grad, d, x, v []float64, sigma float64) {
	s2 := m.s0*m.s0 + sigma*sigma
	skip, pull := m.s0*m.s0/s2, sigma*sigma/s2
	best, total := m.weigh(x, s2, nil)
	clear(grad)
	for at := 0; at < len(m.means); at += m.dim {
		mu := m.means[at : at+m.dim]
		w := math.Exp(-squaredDistance(x, mu)/(2*s2)-best) / total
		along := 0.0
		for j, c := range mu {
			along += (c - (d[j]-skip*x[j])/pull) * v[j]
		}
		for j, c := range mu {
			grad[j] += w * along * (c - (d[j]-skip*x[j])/pull)
		}
	}
	for j := range grad {
		grad[j] = skip*v[j] + pull/s2*grad[j]
	}
}
