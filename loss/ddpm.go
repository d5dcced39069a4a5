package loss

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"gorgonia.org/gorgonia"

	"edm/model/precond"
)

// The names of DDPM with its two schedules for New.
const (
	DDPMLinearName = "ddpm-linear"
	DDPMCosineName = "ddpm-cosine"
)

// DDPM is the simple objective of DDPM (Ho et al. 2020, Eq. 14): the step t is
// uniform among T, and the network predicts the noise n in
//
//	x_t = sqrt(abar_t) y + sqrt(1 - abar_t) n,   abar_t = prod_(s<=t) (1 - beta_s)
//
// Divided by sqrt(abar_t) this is y + sigma_t n with sigma_t = sqrt((1 -
// abar_t) / abar_t), and the noise is eps = (x - D) / sigma_t. Hence the
// identity
//
//	||eps - n||^2 = ||D(x; sigma_t) - y||^2 / sigma_t^2
//
// DDPM is the VP objective on T noise levels instead of all.
type DDPM struct {
	name   string
	params map[string]float64
	levels []float64 // rising; never written
}

// NewDDPMLinear returns DDPM with T betas that rise linearly from beta1 to
// betaT (Ho et al. 2020, Sec. 4; published: 1e-4, 0.02 and T = 1000). Its
// sigma_t are VP's sigma(t/T) within O(1/T) where T beta1 is beta_min and T
// betaT is beta_min + beta_d.
func NewDDPMLinear(beta1, betaT float64, steps int) (DDPM, error) {
	if !(beta1 > 0 && beta1 <= betaT && betaT < 1) || steps < 2 || steps > maxLevels {
		return DDPM{}, fmt.Errorf("loss: %s: beta_1 %v, beta_T %v and T %d, want 0 < beta_1 <= beta_T < 1 and T from 2 to %d",
			DDPMLinearName, beta1, betaT, steps, maxLevels)
	}
	levels := make([]float64, steps)
	var lnABar float64
	for i := range levels {
		lnABar += math.Log1p(-(beta1 + (betaT-beta1)*float64(i)/float64(steps-1)))
		levels[i] = math.Sqrt(math.Expm1(-lnABar))
	}
	if math.IsInf(levels[steps-1], 1) {
		return DDPM{}, fmt.Errorf("loss: %s: the noise level of step %d overflows, want smaller betas or fewer steps", DDPMLinearName, steps)
	}
	return DDPM{
		name: DDPMLinearName, levels: levels,
		params: map[string]float64{"beta_1": beta1, "beta_T": betaT, "T": float64(steps)},
	}, nil
}

// NewDDPMCosine returns DDPM with the cosine schedule of improved DDPM (Nichol &
// Dhariwal 2021, Eq. 17): its T levels are those of p above 0.
func NewDDPMCosine(p precond.IDDPM) DDPM {
	levels := p.Table()[:p.M()]
	slices.Reverse(levels)
	return DDPM{name: DDPMCosineName, params: p.Params(), levels: levels}
}

func newDDPMLinear(params map[string]float64) (Objective, error) {
	beta1, betaT, steps := 1e-4, 0.02, 1000.0
	err := assign(DDPMLinearName, params, map[string]*float64{"beta_1": &beta1, "beta_T": &betaT, "T": &steps})
	t, err2 := whole(DDPMLinearName, "T", steps)
	if err := errors.Join(err, err2); err != nil {
		return nil, err
	}
	return NewDDPMLinear(beta1, betaT, t)
}

func newDDPMCosine(params map[string]float64) (Objective, error) {
	p, err := precond.New(precond.IDDPMName, params)
	if err != nil {
		return nil, fmt.Errorf("loss: %s: %w", DDPMCosineName, err)
	}
	return NewDDPMCosine(p.(precond.IDDPM)), nil
}

// Name returns "ddpm-linear" or "ddpm-cosine".
func (l DDPM) Name() string { return l.name }

// Params returns beta_1, beta_T and T, or C_1, C_2 and M.
func (l DDPM) Params() map[string]float64 { return maps.Clone(l.params) }

// Validate returns a fault for a DDPM that no constructor made.
func (l DDPM) Validate() error {
	if len(l.levels) == 0 {
		return errors.New("loss: DDPM without noise levels: use NewDDPMLinear or NewDDPMCosine")
	}
	return nil
}

// Levels returns a new slice of the noise levels sigma_1 to sigma_T, rising.
func (l DDPM) Levels() []float64 { return slices.Clone(l.levels) }

// Sigma returns the noise level of a draw u uniform in [0, 1): that of step
// floor(u T) + 1.
func (l DDPM) Sigma(u float64) float64 {
	return l.levels[max(0, min(int(u*float64(len(l.levels))), len(l.levels)-1))]
}

// Draw returns the noise level of image number counter in the run with the
// given seed.
func (l DDPM) Draw(seed, counter uint64) float64 { return l.Sigma(Uniform(seed, counter)) }

// Quantile returns the noise level below which a fraction p of the draws lies.
func (l DDPM) Quantile(p float64) float64 { return l.Sigma(p) }

// Weight returns 1/sigma^2.
func (l DDPM) Weight(sigma float64) float64 { return inverseSquare(sigma) }

// Nodes adds the weighted squared error of each image, summed over its pixels.
func (l DDPM) Nodes(d, y, weight *gorgonia.Node) (*gorgonia.Node, error) {
	return SquaredError(d, y, weight)
}
