package precond

import (
	"errors"
	"fmt"
	"math"

	"edm/model/noise"
)

// VPName is the name of the VP preconditioning, for New and in snapshots.
const VPName = "vp"

// VP is the preconditioning of the variance preserving SDE (Song et al. 2021)
// and of DDPM, its discrete case (EDM Table 1, first column; EDM App. C.1): the
// network predicts the noise with its sign changed, and is told the time t of
//
//	sigma(t) = sqrt(exp(beta_d t^2 / 2 + beta_min t) - 1)
//
// in units of 1/(M-1).
type VP struct {
	BetaD    float64 // rise of the SDE's beta over t in [0, 1]
	BetaMin  float64 // beta at t = 0
	M        float64 // number of steps that the network's time embedding counts
	EpsilonT float64 // smallest time that the network was trained for
}

// DefaultVP returns the published constants: beta_d 19.9, beta_min 0.1, M 1000
// and epsilon_t 1e-5.
func DefaultVP() VP {
	schedule := noise.DefaultVP()
	return VP{BetaD: schedule.BetaD, BetaMin: schedule.BetaMin, M: 1000, EpsilonT: 1e-5}
}

func newVP(params map[string]float64) (Preconditioning, error) {
	p := DefaultVP()
	err := assign(params, map[string]*float64{
		"beta_d": &p.BetaD, "beta_min": &p.BetaMin, "M": &p.M, "epsilon_t": &p.EpsilonT,
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
func (p VP) Validate() error {
	var errs []error
	for _, c := range []struct {
		name  string
		value float64
	}{{"beta_d", p.BetaD}, {"beta_min", p.BetaMin}} {
		if !(c.value >= 0) || math.IsInf(c.value, 1) {
			errs = append(errs, fmt.Errorf("%s is %g, want a finite number of at least 0", c.name, c.value))
		}
	}
	if p.BetaD == 0 && p.BetaMin == 0 {
		errs = append(errs, errors.New("beta_d and beta_min are 0, want one of them above 0"))
	}
	if !(p.M > 1) || math.IsInf(p.M, 1) {
		errs = append(errs, fmt.Errorf("M is %g, want a finite number above 1", p.M))
	}
	if !(p.EpsilonT > 0 && p.EpsilonT < 1) {
		errs = append(errs, fmt.Errorf("epsilon_t is %g, want a number between 0 and 1", p.EpsilonT))
	}
	// Its square root is the highest noise level; beyond exp(709) it overflows.
	if top := p.BetaD/2 + p.BetaMin; top > 700 && !math.IsInf(top, 1) {
		errs = append(errs, fmt.Errorf("beta_d/2 + beta_min is %g, want at most 700", top))
	}
	return errors.Join(errs...)
}

// Name returns "vp".
func (p VP) Name() string { return VPName }

// Params returns beta_d, beta_min, M and epsilon_t.
func (p VP) Params() map[string]float64 {
	return map[string]float64{"beta_d": p.BetaD, "beta_min": p.BetaMin, "M": p.M, "epsilon_t": p.EpsilonT}
}

// Schedule returns sigma(t).
func (p VP) Schedule() noise.VP { return noise.VP{BetaD: p.BetaD, BetaMin: p.BetaMin} }

// Sigma returns the noise level at time t >= 0 (EDM Table 1, "Schedule").
func (p VP) Sigma(t float64) float64 { return p.Schedule().Sigma(t) }

// Time returns the t at which Sigma is sigma.
func (p VP) Time(sigma float64) float64 { return p.Schedule().Time(sigma) }

// Coeffs returns the coefficients at sigma (EDM Table 1):
//
//	c_skip  = 1
//	c_out   = -sigma
//	c_in    = 1 / sqrt(sigma^2 + 1)
//	c_noise = (M - 1) t(sigma)
func (p VP) Coeffs(sigma float64) Coeffs {
	return Coeffs{CSkip: 1, COut: -sigma, CIn: 1 / math.Hypot(sigma, 1), CNoise: (p.M - 1) * p.Time(sigma)}
}

// RoundSigma returns sigma: the network takes any noise level.
func (p VP) RoundSigma(sigma float64) float64 { return sigma }

// SigmaRange returns the noise levels at times epsilon_t and 1.
func (p VP) SigmaRange() (min, max float64) { return p.Sigma(p.EpsilonT), p.Sigma(1) }
