// Package loss holds the training objectives of denoisers: the distribution of
// noise levels p_train(sigma), the weight lambda(sigma) of each, and the
// weighted error as graph nodes (EDM Sec. 5).
package loss

import (
	"errors"
	"fmt"
	"math"

	"gorgonia.org/gorgonia"

	"edm/internal/op"
	"edm/internal/rng"
)

// EDM is the paper's own objective: ln sigma ~ N(PMean, PStd^2), weighted so
// that an untrained network has the same loss at every noise level (EDM Eq. 8,
// Table 1).
type EDM struct {
	PMean     float64 // mean of ln sigma
	PStd      float64 // standard deviation of ln sigma
	SigmaData float64 // standard deviation of the data, in the units of the images
}

// Default returns the paper's settings: P_mean -1.2, P_std 1.2, sigma_data 0.5.
func Default() EDM { return EDM{PMean: -1.2, PStd: 1.2, SigmaData: 0.5} }

// Validate returns every fault of the settings, joined.
func (l EDM) Validate() error {
	var errs []error
	if math.IsNaN(l.PMean) || math.IsInf(l.PMean, 0) {
		errs = append(errs, fmt.Errorf("loss: P_mean is %v, want a finite number", l.PMean))
	}
	if !(l.PStd > 0) || math.IsInf(l.PStd, 0) {
		errs = append(errs, fmt.Errorf("loss: P_std is %v, want a positive number", l.PStd))
	}
	if !(l.SigmaData > 0) || math.IsInf(l.SigmaData, 0) {
		errs = append(errs, fmt.Errorf("loss: sigma_data is %v, want a positive number", l.SigmaData))
	}
	return errors.Join(errs...)
}

// Sigma returns the noise level that a standard normal draw stands for.
func (l EDM) Sigma(normal float64) float64 { return math.Exp(l.PMean + l.PStd*normal) }

// Draw returns the noise level of image number counter in the run with the
// given seed.
func (l EDM) Draw(seed, counter uint64) float64 {
	r := rng.New(seed, rng.Sigma, counter)
	return l.Sigma(r.Normal())
}

// Weight returns lambda(sigma) = (sigma^2 + sigma_data^2) / (sigma
// sigma_data)^2.
func (l EDM) Weight(sigma float64) float64 {
	sd := sigma * l.SigmaData
	return (sigma*sigma + l.SigmaData*l.SigmaData) / (sd * sd)
}

// Nodes adds the weighted squared error of each image, summed over its pixels,
// to the graph: d and y [N,C,H,W], weight [N]; the result is [N].
func (l EDM) Nodes(d, y, weight *gorgonia.Node) (*gorgonia.Node, error) {
	return op.Apply(op.SquaredError{}, d, y, weight)
}
