package precond

import (
	"fmt"
	"math"
)

// VEName is the name of the VE preconditioning, for New and in snapshots.
const VEName = "ve"

// VE is the preconditioning of the variance exploding SDE (Song et al. 2021)
// and of NCSN, its discrete case (EDM Table 1, second column; EDM App. C.2): the
// network sees the noisy image as it is and predicts the noise with its sign
// changed.
type VE struct {
	SigmaMin float64 // lowest supported noise level
	SigmaMax float64 // highest supported noise level
}

// DefaultVE returns the published constants: noise levels 0.02 to 100.
func DefaultVE() VE { return VE{SigmaMin: 0.02, SigmaMax: 100} }

func newVE(params map[string]float64) (Preconditioning, error) {
	p := DefaultVE()
	if err := assign(params, map[string]*float64{"sigma_min": &p.SigmaMin, "sigma_max": &p.SigmaMax}); err != nil {
		return nil, err
	}
	if err := p.Validate(); err != nil {
		return nil, err
	}
	return p, nil
}

// Validate returns the faults of the constants.
func (p VE) Validate() error {
	if !(p.SigmaMin > 0 && p.SigmaMax > p.SigmaMin) || math.IsInf(p.SigmaMax, 1) {
		return fmt.Errorf("sigma_min is %g and sigma_max is %g, want finite numbers with 0 < sigma_min < sigma_max",
			p.SigmaMin, p.SigmaMax)
	}
	return nil
}

// Name returns "ve".
func (p VE) Name() string { return VEName }

// Params returns sigma_min and sigma_max.
func (p VE) Params() map[string]float64 {
	return map[string]float64{"sigma_min": p.SigmaMin, "sigma_max": p.SigmaMax}
}

// Coeffs returns the coefficients at sigma (EDM Table 1):
//
//	c_skip  = 1
//	c_out   = sigma
//	c_in    = 1
//	c_noise = ln(sigma / 2)
func (p VE) Coeffs(sigma float64) Coeffs {
	return Coeffs{CSkip: 1, COut: sigma, CIn: 1, CNoise: math.Log(sigma / 2)}
}

// RoundSigma returns sigma: the network takes any noise level.
func (p VE) RoundSigma(sigma float64) float64 { return sigma }

// SigmaRange returns SigmaMin and SigmaMax.
func (p VE) SigmaRange() (min, max float64) { return p.SigmaMin, p.SigmaMax }
