// Package guide makes denoisers out of others, so that any sampler follows
// classes more closely, or a good network instead of a bad one: classifier-free
// guidance (Ho & Salimans 2022), guidance by a second network (autoguidance,
// Karras et al. 2024) and by the gradient of a classifier (Dhariwal & Nichol
// 2021), each in an interval of noise levels if wanted (Kynkäänniemi et al.
// 2024).
//
// All of them shift the estimate D(x; sigma), which by D = x + sigma^2 score
// (EDM Eq. 3) is to shift the score of the distribution that is sampled.
package guide

import (
	"errors"
	"fmt"
	"math"

	"edm/sample"
)

// Options say how much to guide, and where.
type Options struct {
	Weight float64 // w: strength of the guidance; 1 is the plain conditional network (for a classifier 0 is)
	// Guidance acts at noise levels SigmaLow < sigma <= SigmaHigh. Elsewhere the
	// network with its labels is evaluated alone.
	SigmaLow  float64
	SigmaHigh float64 // may be infinite
}

// DefaultOptions returns weight 1 at all noise levels.
func DefaultOptions() Options { return Options{Weight: 1, SigmaLow: 0, SigmaHigh: math.Inf(1)} }

// Validate reports every option that makes no sense, joined into one error.
func (o Options) Validate() error {
	var errs []error
	if math.IsNaN(o.Weight) || math.IsInf(o.Weight, 0) {
		errs = append(errs, fmt.Errorf("guidance weight is %g, want a finite number", o.Weight))
	}
	if !(o.SigmaLow >= 0) || math.IsInf(o.SigmaLow, 1) {
		errs = append(errs, fmt.Errorf("guidance's lower sigma is %g, want a finite number of at least 0", o.SigmaLow))
	}
	if math.IsNaN(o.SigmaHigh) || o.SigmaHigh <= o.SigmaLow {
		errs = append(errs, fmt.Errorf("guidance's upper sigma is %g, want more than the lower (%g)", o.SigmaHigh, o.SigmaLow))
	}
	return errors.Join(errs...)
}

// acts reports whether guidance acts at sigma.
func (o Options) acts(sigma float64) bool { return o.SigmaLow < sigma && sigma <= o.SigmaHigh }

// Denoiser is a guided denoiser. It also is a sample.Rows where all its parts
// take a noise level for each image. It keeps its workspace, so after the first
// call of a size it allocates nothing, and it is for one goroutine at a time.
type Denoiser interface {
	sample.Denoiser
	// Cost returns the network evaluations of one call at sigma, a classifier's
	// gradient counted as one, and those of a part that has a Cost as it says.
	Cost(sigma float64) int
	// Evaluations returns the sum of the costs of all calls so far. It is the
	// number to report as NFE: a sampler counts calls alone.
	Evaluations() int
}

// newDenoiser joins a main network and a partner.
func newDenoiser(main sample.Denoiser, p partner, o Options, needsLabels bool) (Denoiser, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	g := &guided{main: main, partner: p, options: o, needsLabels: needsLabels}
	g.sigmaMin, g.sigmaMax = main.SigmaRange()
	if low, high, ok := p.sigmaRange(); ok {
		g.sigmaMin, g.sigmaMax = max(g.sigmaMin, low), min(g.sigmaMax, high)
		if !(g.sigmaMin < g.sigmaMax) {
			return nil, fmt.Errorf("the networks share no noise levels: the second supports %g to %g", low, high)
		}
	}
	if _, ok := main.(sample.Rows); ok && p.rows() {
		return &guidedRows{g}, nil
	}
	return g, nil
}

// cost returns the evaluations that one call of d at sigma takes.
func cost(d sample.Denoiser, sigma float64) int {
	if c, ok := d.(interface{ Cost(float64) int }); ok {
		return c.Cost(sigma)
	}
	return 1
}
