package sample

import (
	"context"
	"math"
	"testing"
)

// axes is Gaussian data with independent coordinates. It is the denoiser of
// that data in closed form: D = mean + variance / (variance + sigma^2) (x -
// mean), one coordinate at a time.
type axes struct{ mean, variance []float64 }

func (g axes) SigmaRange() (min, max float64) { return 0, math.Inf(1) }

func (g axes) RoundSigma(sigma float64) float64 { return sigma }

func (g axes) Denoise(_ context.Context, dst, x []float64, sigma float64, _ []float32) error {
	dim := len(g.mean)
	for j := range dst {
		m, v := g.mean[j%dim], g.variance[j%dim]
		dst[j] = m + v/(v+sigma*sigma)*(x[j]-m)
	}
	return nil
}

// response is a run of a fixed-step solver on axes data, coordinate by
// coordinate. With such data every such solver is an affine map of the latents
// and the draws: image = offset + latent * z + sum of its answers to each draw.
// It has no statistical error.
type response struct {
	offset, latent []float64
	draws          []float64 // sum of the squared answers to a unit of each draw
}

// impulses measures the response of s, a sampler of g, by one batch: an image
// with neither latent nor draws, one with a unit latent and one for each draw.
func impulses(t testing.TB, s *Sampler, g axes) response {
	t.Helper()
	draws, dim := s.solver.Draws(s.run.Steps()), len(g.mean)
	x := make([]float64, (2+draws)*dim)
	ones(x[dim : 2*dim])
	noise := func(dst []float64, draw uint64) error {
		clear(dst)
		at := (2 + int(draw)) * dim
		ones(dst[at : at+dim]) // a draw beyond those announced is out of range
		return nil
	}
	if _, err := s.Sample(t.Context(), Batch{X: x, Dim: dim, Noise: noise}); err != nil {
		t.Fatal(err)
	}
	r := response{offset: x[:dim], latent: make([]float64, dim), draws: make([]float64, dim)}
	for j := dim; j < len(x); j++ {
		answer := x[j] - r.offset[j%dim]
		if j < 2*dim {
			r.latent[j-dim] = answer
		} else {
			r.draws[j%dim] += answer * answer
		}
	}
	return r
}

func ones(x []float64) {
	for j := range x {
		x[j] = 1
	}
}

// moments returns the exact mean and variance of the images, from latents that
// are normal with the given mean and variance in every coordinate, and unit
// normal draws.
func (r response) moments(latentMean, latentVariance []float64) (mean, variance []float64) {
	mean, variance = make([]float64, len(r.offset)), make([]float64, len(r.offset))
	for k, a := range r.latent {
		mean[k] = r.offset[k] + a*latentMean[k]
		variance[k] = a*a*latentVariance[k] + r.draws[k]
	}
	return mean, variance
}

// impulseMoments returns the exact mean and variance of every coordinate of the
// images of s, a sampler of g, from unit normal latents and draws.
func impulseMoments(t testing.TB, s *Sampler, g axes) (mean, variance []float64) {
	t.Helper()
	unit := make([]float64, len(g.mean))
	ones(unit)
	return impulses(t, s, g).moments(make([]float64, len(g.mean)), unit)
}

// impulseBias returns what the time steps do wrong: by how much the variance of
// the images of s is off g's, relative to it, and the mean, in standard
// deviations. The run starts from g with the first noise level's noise, where
// sampling starts from that noise alone.
func impulseBias(t testing.TB, s *Sampler, g axes) (mean, variance []float64) {
	t.Helper()
	sigma := s.Sigmas()[0]
	m, v := make([]float64, len(g.mean)), make([]float64, len(g.mean))
	for k := range m {
		m[k], v[k] = g.mean[k]/sigma, 1+g.variance[k]/(sigma*sigma)
	}
	mean, variance = impulses(t, s, g).moments(m, v)
	for k := range mean {
		mean[k] = (mean[k] - g.mean[k]) / math.Sqrt(g.variance[k])
		variance[k] = variance[k]/g.variance[k] - 1
	}
	return mean, variance
}
