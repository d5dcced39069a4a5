package loss

import (
	"errors"
	"fmt"
	"math"

	"gorgonia.org/gorgonia"
)

// NCSNName is the name of NCSN for New.
const NCSNName = "ncsn"

// NCSN is the objective of noise conditional score networks (Song & Ermon 2019,
// Eq. 5 and 6): a scale is uniform among Scales geometric ones, and the network
// predicts the score. The loss of one scale with its weight lambda = sigma^2 is
//
//	1/2 sigma^2 ||score(x) + n/sigma||^2 = ||D(x; sigma) - y||^2 / (2 sigma^2)
//
// since score(x) = (D - x) / sigma^2: half of VE's loss on VE's levels.
type NCSN struct {
	SigmaMin float64 // lowest scale
	SigmaMax float64 // highest scale: the greatest distance between two images of the data
	Scales   int     // number of scales
}

// DefaultNCSN returns the published settings for CIFAR-10 (Song & Ermon 2020,
// App. B): 232 scales from 0.01 to 50. Those are for pixels in [0, 1]: in
// [-1, 1] distances are twice as large, so measure SigmaMax.
func DefaultNCSN() NCSN { return NCSN{SigmaMin: 0.01, SigmaMax: 50, Scales: 232} }

// NCSNScales returns the number of geometric scales from sigmaMin to sigmaMax
// for images of dim elements such that half of what one scale generates is
// plausible at the next (Song & Ermon 2020, Technique 2): the ratio gamma of
// neighbours solves
//
//	Phi(sqrt(2 dim) (gamma-1) + 3 gamma) - Phi(sqrt(2 dim) (gamma-1) - 3 gamma) = 1/2
//
// It is at least 2.
func NCSNScales(dim int, sigmaMin, sigmaMax float64) int {
	spread := math.Sqrt(2 * float64(dim))
	if spread <= 3 { // so few elements overlap at any ratio
		return 2
	}
	// Where the second argument is 0 the first is 6 gamma, and its Phi is 1 to
	// nine digits: gamma is the root of the second.
	gamma := spread / (spread - 3)
	return max(2, 1+int(math.Ceil(math.Log(sigmaMax/sigmaMin)/math.Log(gamma))))
}

func newNCSN(params map[string]float64) (Objective, error) {
	l := DefaultNCSN()
	scales := float64(l.Scales)
	err := assign(NCSNName, params, map[string]*float64{"sigma_min": &l.SigmaMin, "sigma_max": &l.SigmaMax, "scales": &scales})
	var err2 error
	l.Scales, err2 = whole(NCSNName, "scales", scales)
	return l, errors.Join(err, err2)
}

// Name returns "ncsn".
func (l NCSN) Name() string { return NCSNName }

// Params returns sigma_min, sigma_max and scales.
func (l NCSN) Params() map[string]float64 {
	return map[string]float64{"sigma_min": l.SigmaMin, "sigma_max": l.SigmaMax, "scales": float64(l.Scales)}
}

// Validate returns every fault of the settings, joined.
func (l NCSN) Validate() error {
	var err error
	if l.Scales < 2 || l.Scales > maxLevels {
		err = fmt.Errorf("loss: scales is %d, want 2 to %d", l.Scales, maxLevels)
	}
	return errors.Join(rising(l.SigmaMin, l.SigmaMax), err)
}

// Sigma returns the noise level of a draw u uniform in [0, 1): scale number
// floor(u Scales) from the lowest.
func (l NCSN) Sigma(u float64) float64 {
	i := max(0, min(int(u*float64(l.Scales)), l.Scales-1))
	if i == l.Scales-1 {
		return l.SigmaMax // exactly
	}
	return l.SigmaMin * math.Pow(l.SigmaMax/l.SigmaMin, float64(i)/float64(l.Scales-1))
}

// Draw returns the noise level of image number counter in the run with the
// given seed.
func (l NCSN) Draw(seed, counter uint64) float64 { return l.Sigma(Uniform(seed, counter)) }

// Quantile returns the noise level below which a fraction p of the draws lies.
func (l NCSN) Quantile(p float64) float64 { return l.Sigma(p) }

// Weight returns 1/(2 sigma^2).
func (l NCSN) Weight(sigma float64) float64 { return inverseSquare(sigma) / 2 }

// Nodes adds the weighted squared error of each image, summed over its pixels.
func (l NCSN) Nodes(d, y, weight *gorgonia.Node) (*gorgonia.Node, error) {
	return SquaredError(d, y, weight)
}
