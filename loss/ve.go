package loss

import (
	"math"

	"gorgonia.org/gorgonia"

	"edm/model/precond"
)

// VEName is the name of VE for New.
const VEName = "ve"

// VE is the objective of the variance exploding SDE (Song et al. 2021; EDM
// Table 1): ln sigma is uniform, and the weight is 1/sigma^2.
type VE struct {
	SigmaMin float64 // lowest noise level
	SigmaMax float64 // highest noise level
}

// DefaultVE returns the published settings: noise levels 0.02 to 100.
func DefaultVE() VE {
	p := precond.DefaultVE()
	return VE{SigmaMin: p.SigmaMin, SigmaMax: p.SigmaMax}
}

func newVE(params map[string]float64) (Objective, error) {
	l := DefaultVE()
	err := assign(VEName, params, map[string]*float64{"sigma_min": &l.SigmaMin, "sigma_max": &l.SigmaMax})
	return l, err
}

// Name returns "ve".
func (l VE) Name() string { return VEName }

// Params returns sigma_min and sigma_max.
func (l VE) Params() map[string]float64 {
	return map[string]float64{"sigma_min": l.SigmaMin, "sigma_max": l.SigmaMax}
}

// Validate returns the faults of the settings.
func (l VE) Validate() error { return rising(l.SigmaMin, l.SigmaMax) }

// Sigma returns the noise level of a draw u uniform in [0, 1): sigma_min
// (sigma_max / sigma_min)^u.
func (l VE) Sigma(u float64) float64 { return l.SigmaMin * math.Pow(l.SigmaMax/l.SigmaMin, u) }

// Draw returns the noise level of image number counter in the run with the
// given seed.
func (l VE) Draw(seed, counter uint64) float64 { return l.Sigma(Uniform(seed, counter)) }

// Quantile returns the noise level below which a fraction p of the draws lies.
func (l VE) Quantile(p float64) float64 { return l.Sigma(p) }

// Weight returns 1/sigma^2.
func (l VE) Weight(sigma float64) float64 { return inverseSquare(sigma) }

// Nodes adds the weighted squared error of each image, summed over its pixels.
func (l VE) Nodes(d, y, weight *gorgonia.Node) (*gorgonia.Node, error) {
	return SquaredError(d, y, weight)
}
