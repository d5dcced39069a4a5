package gmm

import (
	"context"
	"errors"
	"fmt"
	"math"
)

// Classes is a labelled data distribution: K classes of equal probability, class
// k being N(mu_k, S0^2 I). It is immutable and safe for concurrent use, has the
// methods of a sampler's denoiser, and is its own classifier.
type Classes struct {
	all  *Mixture
	each []*Mixture
}

// NewClasses returns the classes with the centres means, [K, dim] row-major, and
// standard deviation s0 about each. The means are copied.
func NewClasses(means []float64, dim int, s0 float64) (*Classes, error) {
	all, err := New(means, dim, s0)
	if err != nil {
		return nil, err
	}
	c := &Classes{all: all}
	for at := 0; at < len(means); at += dim {
		one, err := New(means[at:at+dim], dim, s0)
		if err != nil {
			return nil, err
		}
		c.each = append(c.each, one)
	}
	return c, nil
}

// Class returns the distribution of class k.
func (c *Classes) Class(k int) *Mixture { return c.each[k] }

// Mixture returns the distribution of all classes together.
func (c *Classes) Mixture() *Mixture { return c.all }

// SigmaRange returns 0 and +Inf: every noise level is supported.
func (c *Classes) SigmaRange() (min, max float64) { return 0, math.Inf(1) }

// RoundSigma returns sigma.
func (c *Classes) RoundSigma(sigma float64) float64 { return sigma }

// Denoise writes D(x; sigma) to dst: the posterior mean given the class of a
// one-hot row of labels [N, K], and that of the whole mixture for a row of zeros
// or no labels. x and dst are [N, Dim] row-major and do not alias. It does not
// allocate.
func (c *Classes) Denoise(ctx context.Context, dst, x []float64, sigma float64, labels []float32) error {
	if labels == nil {
		return c.all.Denoise(ctx, dst, x, sigma, nil)
	}
	if len(labels)*c.all.dim != len(x)*len(c.each) || len(dst) != len(x) {
		return fmt.Errorf("gmm: %d labels, dst of %d and x of %d numbers, want %d labels for every %d numbers",
			len(labels), len(dst), len(x), len(c.each), c.all.dim)
	}
	for i := range len(x) / c.all.dim {
		k, err := oneHot(labels[i*len(c.each) : (i+1)*len(c.each)])
		if err != nil {
			return err
		}
		m := c.all
		if k >= 0 {
			m = c.each[k]
		}
		a, b := i*m.dim, (i+1)*m.dim
		if err := m.Denoise(ctx, dst[a:b], x[a:b], sigma, nil); err != nil {
			return err
		}
	}
	return nil
}

// DenoiseRows is Denoise with sigmas [N].
func (c *Classes) DenoiseRows(ctx context.Context, dst, x, sigmas []float64, labels []float32) error {
	dim, classes := c.all.dim, len(c.each)
	if len(x) != len(sigmas)*dim || len(dst) != len(x) || labels != nil && len(labels) != len(sigmas)*classes {
		return fmt.Errorf("gmm: dst of %d, x of %d numbers and %d labels for %d rows of %d and %d",
			len(dst), len(x), len(labels), len(sigmas), dim, classes)
	}
	for i, sigma := range sigmas {
		var row []float32
		if labels != nil {
			row = labels[i*classes : (i+1)*classes]
		}
		if err := c.Denoise(ctx, dst[i*dim:(i+1)*dim], x[i*dim:(i+1)*dim], sigma, row); err != nil {
			return err
		}
	}
	return nil
}

// Gradient writes the gradient by x of ln p(class | x; sigma) to dst. x and dst
// are [N, Dim] and do not alias; labels is [N, K] one-hot. It allocates.
func (c *Classes) Gradient(ctx context.Context, dst, x []float64, sigma float64, labels []float32) error {
	if labels == nil {
		return errors.New("gmm: gradient of a class probability without labels")
	}
	if err := c.Denoise(ctx, dst, x, sigma, labels); err != nil {
		return err
	}
	all := make([]float64, len(x))
	if err := c.all.Denoise(ctx, all, x, sigma, nil); err != nil {
		return err
	}
	// By Bayes' rule the score of the class less that of the mixture (EDM Eq. 3).
	for j := range dst {
		dst[j] = (dst[j] - all[j]) / (sigma * sigma)
	}
	return nil
}

// oneHot returns the class of a row of labels, -1 for a row of zeros.
func oneHot(row []float32) (int, error) {
	class := -1
	for k, v := range row {
		switch {
		case v == 0:
		case v == 1 && class < 0:
			class = k
		default:
			return 0, fmt.Errorf("gmm: label row %v, want one 1 or none among zeros", row)
		}
	}
	return class, nil
}
