package loss

import (
	"errors"
	"fmt"
	"math"

	"gorgonia.org/gorgonia"
)

// EDMName is the name of EDM for New.
const EDMName = "edm"

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

func newEDM(params map[string]float64) (Objective, error) {
	l := Default()
	err := assign(EDMName, params, map[string]*float64{"P_mean": &l.PMean, "P_std": &l.PStd, "sigma_data": &l.SigmaData})
	return l, err
}

// Name returns "edm".
func (l EDM) Name() string { return EDMName }

// Params returns P_mean, P_std and sigma_data.
func (l EDM) Params() map[string]float64 {
	return map[string]float64{"P_mean": l.PMean, "P_std": l.PStd, "sigma_data": l.SigmaData}
}

// Validate returns every fault of the settings, joined.
func (l EDM) Validate() error {
	var errs []error
	if math.IsNaN(l.PMean) || math.IsInf(l.PMean, 0) {
		errs = append(errs, fmt.Errorf("loss: P_mean is %v, want a finite number", l.PMean))
	}
	return errors.Join(append(errs, positive("P_std", l.PStd), positive("sigma_data", l.SigmaData))...)
}

// Sigma returns the noise level that a standard normal draw stands for.
func (l EDM) Sigma(normal float64) float64 { return math.Exp(l.PMean + l.PStd*normal) }

// Draw returns the noise level of image number counter in the run with the
// given seed.
func (l EDM) Draw(seed, counter uint64) float64 {
	return l.Sigma(Normal(seed, counter))
}

// Quantile returns the noise level below which a fraction p of the draws lies.
func (l EDM) Quantile(p float64) float64 { return l.Sigma(math.Sqrt2 * math.Erfinv(2*p-1)) }

// Weight returns lambda(sigma) = (sigma^2 + sigma_data^2) / (sigma
// sigma_data)^2.
func (l EDM) Weight(sigma float64) float64 {
	sd := sigma * l.SigmaData
	return (sigma*sigma + l.SigmaData*l.SigmaData) / (sd * sd)
}

// Nodes adds the weighted squared error of each image, summed over its pixels.
func (l EDM) Nodes(d, y, weight *gorgonia.Node) (*gorgonia.Node, error) {
	return SquaredError(d, y, weight)
}
