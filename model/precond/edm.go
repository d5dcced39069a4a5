package precond

import (
	"errors"
	"fmt"
	"math"
)

// EDMName is the name of the EDM preconditioning, for New and in snapshots.
const EDMName = "edm"

// EDM is the paper's own preconditioning (EDM Table 1, last column; derived in
// EDM App. B.6): the network's input and its effective training target have
// unit variance, and c_skip amplifies the network's errors as little as that
// allows.
type EDM struct {
	SigmaData float64 // standard deviation of the data
	SigmaMin  float64 // lowest supported noise level
	SigmaMax  float64 // highest supported noise level; may be infinite
}

// DefaultEDM returns the published constants: sigma_data 0.5 and every noise
// level supported.
func DefaultEDM() EDM { return EDM{SigmaData: 0.5, SigmaMin: 0, SigmaMax: math.Inf(1)} }

func newEDM(params map[string]float64) (Preconditioning, error) {
	p := DefaultEDM()
	err := assign(params, map[string]*float64{
		"sigma_data": &p.SigmaData, "sigma_min": &p.SigmaMin, "sigma_max": &p.SigmaMax,
	})
	if err != nil {
		return nil, err
	}
	if err := p.Validate(); err != nil {
		return nil, err
	}
	return p, nil
}

// Validate reports every constant that makes no sense, joined into one error.
func (p EDM) Validate() error {
	var errs []error
	if !(p.SigmaData > 0) || math.IsInf(p.SigmaData, 1) {
		errs = append(errs, fmt.Errorf("sigma_data is %g, want a finite number above 0", p.SigmaData))
	}
	if !(p.SigmaMin >= 0) || math.IsInf(p.SigmaMin, 1) {
		errs = append(errs, fmt.Errorf("sigma_min is %g, want a finite number of at least 0", p.SigmaMin))
	}
	if math.IsNaN(p.SigmaMax) || p.SigmaMax <= p.SigmaMin {
		errs = append(errs, fmt.Errorf("sigma_max is %g, want a number above sigma_min (%g)", p.SigmaMax, p.SigmaMin))
	}
	return errors.Join(errs...)
}

// Name returns "edm".
func (p EDM) Name() string { return EDMName }

// Params returns sigma_data, sigma_min and sigma_max.
func (p EDM) Params() map[string]float64 {
	return map[string]float64{"sigma_data": p.SigmaData, "sigma_min": p.SigmaMin, "sigma_max": p.SigmaMax}
}

// Coeffs returns the coefficients at sigma (EDM Table 1):
//
//	c_skip  = sigma_data^2 / (sigma^2 + sigma_data^2)
//	c_out   = sigma sigma_data / sqrt(sigma^2 + sigma_data^2)
//	c_in    = 1 / sqrt(sigma^2 + sigma_data^2)
//	c_noise = ln(sigma) / 4
func (p EDM) Coeffs(sigma float64) Coeffs {
	// Hypot keeps the squares of extreme noise levels from overflowing.
	std := math.Hypot(sigma, p.SigmaData)
	ratio := p.SigmaData / std
	return Coeffs{
		CSkip:  ratio * ratio,
		COut:   sigma * ratio,
		CIn:    1 / std,
		CNoise: math.Log(sigma) / 4,
	}
}

// RoundSigma returns sigma: the network takes any noise level.
func (p EDM) RoundSigma(sigma float64) float64 { return sigma }

// SigmaRange returns SigmaMin and SigmaMax.
func (p EDM) SigmaRange() (min, max float64) { return p.SigmaMin, p.SigmaMax }
