package loss

import (
	"fmt"

	"gorgonia.org/gorgonia"

	"edm/model/noise"
	"edm/model/precond"
)

// VPName is the name of VP for New.
const VPName = "vp"

// VP is the objective of the variance preserving SDE (Song et al. 2021; EDM
// Table 1): t is uniform in (EpsilonT, 1] and sigma(t) as in noise.VP, and the
// weight 1/sigma^2 makes it the error of the predicted noise.
type VP struct {
	BetaD    float64 // rise of the SDE's beta over t in [0, 1]
	BetaMin  float64 // beta at t = 0
	EpsilonT float64 // smallest time
}

// DefaultVP returns the published settings: beta_d 19.9, beta_min 0.1,
// epsilon_t 1e-5.
func DefaultVP() VP {
	p := precond.DefaultVP()
	return VP{BetaD: p.BetaD, BetaMin: p.BetaMin, EpsilonT: p.EpsilonT}
}

func newVP(params map[string]float64) (Objective, error) {
	l := DefaultVP()
	err := assign(VPName, params, map[string]*float64{"beta_d": &l.BetaD, "beta_min": &l.BetaMin, "epsilon_t": &l.EpsilonT})
	return l, err
}

// preconditioning returns that with the same sigma(t) and limits.
func (l VP) preconditioning() precond.VP {
	p := precond.DefaultVP()
	p.BetaD, p.BetaMin, p.EpsilonT = l.BetaD, l.BetaMin, l.EpsilonT
	return p
}

// Name returns "vp".
func (l VP) Name() string { return VPName }

// Params returns beta_d, beta_min and epsilon_t.
func (l VP) Params() map[string]float64 {
	return map[string]float64{"beta_d": l.BetaD, "beta_min": l.BetaMin, "epsilon_t": l.EpsilonT}
}

// Validate returns every fault of the settings, joined.
func (l VP) Validate() error {
	if err := l.preconditioning().Validate(); err != nil {
		return fmt.Errorf("loss: %s: %w", VPName, err)
	}
	return nil
}

// Sigma returns the noise level of a draw u uniform in [0, 1): that at time t =
// 1 - u (1 - epsilon_t).
func (l VP) Sigma(u float64) float64 {
	return noise.VP{BetaD: l.BetaD, BetaMin: l.BetaMin}.Sigma(1 + u*(l.EpsilonT-1))
}

// Draw returns the noise level of image number counter in the run with the
// given seed.
func (l VP) Draw(seed, counter uint64) float64 { return l.Sigma(Uniform(seed, counter)) }

// Quantile returns the noise level below which a fraction p of the draws lies.
func (l VP) Quantile(p float64) float64 { return l.Sigma(1 - p) }

// Weight returns 1/sigma^2.
func (l VP) Weight(sigma float64) float64 { return inverseSquare(sigma) }

// Nodes adds the weighted squared error of each image, summed over its pixels.
func (l VP) Nodes(d, y, weight *gorgonia.Node) (*gorgonia.Node, error) {
	return SquaredError(d, y, weight)
}
