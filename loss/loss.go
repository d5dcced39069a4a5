// Package loss holds the training objectives of denoisers, one file each: the
// distribution of noise levels p_train(sigma), the weight lambda(sigma) of each,
// and the weighted error as graph nodes (EDM Sec. 5 and Table 1, "Training").
//
// The objectives of earlier work predict noise or the score. With x = y + sigma
// n both are the denoiser in other units, so each is the denoising error
// ||D(x; sigma) - y||^2 with a weight:
//
//	eps(x)   = (x - D) / sigma      ||eps - n||^2           = ||D - y||^2 / sigma^2
//	score(x) = (D - x) / sigma^2    ||score + n/sigma||^2   = ||D - y||^2 / sigma^4
package loss

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"gorgonia.org/gorgonia"

	"edm/internal/op"
	"edm/internal/registry"
	"edm/internal/rng"
)

// Objective is a training objective. Implementations are immutable values and
// safe for concurrent use.
type Objective interface {
	// Name returns the name that New knows it by.
	Name() string
	// Params returns a new map of every constant, under the names New takes:
	// New(o.Name(), o.Params()) equals o.
	Params() map[string]float64
	// Validate returns every fault of the constants, joined.
	Validate() error
	// Sigma returns the noise level that a draw stands for: a standard normal one
	// for EDM, one uniform in [0, 1) for the others.
	Sigma(draw float64) float64
	// Draw returns the noise level of image number counter in the run with the
	// given seed.
	Draw(seed, counter uint64) float64
	// Quantile returns the noise level below which a fraction p in (0, 1) of the
	// draws lies.
	Quantile(p float64) float64
	// Weight returns lambda(sigma).
	Weight(sigma float64) float64
	// Nodes adds the weighted squared error of each image, summed over its
	// pixels, to the graph: d and y [N,C,H,W], weight [N]; the result is [N].
	Nodes(d, y, weight *gorgonia.Node) (*gorgonia.Node, error)
}

var byName = registry.New("loss", "objective", func() map[string]registry.Builder[Objective] {
	return map[string]registry.Builder[Objective]{
		EDMName: newEDM, VPName: newVP, VEName: newVE,
		DDPMLinearName: newDDPMLinear, DDPMCosineName: newDDPMCosine, NCSNName: newNCSN,
	}
})

// Register lets New build the objective called name, so that configurations and the
// files of runs can name it. New calls build with its own arguments. A later call with
// the same name replaces it; the names of this package are errors.
func Register(name string, build func(params map[string]float64) (Objective, error)) error {
	return byName.Register(name, build)
}

// Names returns the names New knows, sorted.
func Names() []string { return byName.Names() }

// New returns the objective called name. params sets constants by name
// ("P_mean"); those left out have their published values, and nil means all of
// them. An unknown name, an unknown constant or an impossible value is an error.
func New(name string, params map[string]float64) (Objective, error) {
	build, err := byName.Builder(name)
	if err != nil {
		return nil, err
	}
	o, err := build(params)
	if err != nil {
		return nil, err
	}
	if err := o.Validate(); err != nil {
		return nil, err
	}
	return o, nil
}

// assign copies params into the fields named alike and reports the first name,
// in sorted order, that no field has.
func assign(objective string, params map[string]float64, fields map[string]*float64) error {
	for _, name := range slices.Sorted(maps.Keys(params)) {
		field, ok := fields[name]
		if !ok {
			return fmt.Errorf("loss: %s: unknown constant %q, want %s",
				objective, name, strings.Join(slices.Sorted(maps.Keys(fields)), ", "))
		}
		*field = params[name]
	}
	return nil
}

// whole returns a constant that counts something.
func whole(objective, name string, v float64) (int, error) {
	if v != math.Trunc(v) || !(v >= 1 && v <= maxLevels) {
		return 0, fmt.Errorf("loss: %s: %s is %g, want a whole number from 1 to %d", objective, name, v, maxLevels)
	}
	return int(v), nil
}

// maxLevels limits the noise levels that a configuration can ask for.
const maxLevels = 1 << 20

// Uniform returns a draw in [0, 1), a function of the run's seed and the image's
// number alone: Draw of an objective with other distributions than the normal one.
func Uniform(seed, counter uint64) float64 {
	r := rng.New(seed, rng.Sigma, counter)
	return r.Float64()
}

// inverseSquare is the weight under which a network that predicts the noise is
// trained on ||eps - n||^2.
func inverseSquare(sigma float64) float64 { return 1 / (sigma * sigma) }

// Normal is Uniform with unit normal draws.
func Normal(seed, counter uint64) float64 {
	r := rng.New(seed, rng.Sigma, counter)
	return r.Normal()
}

// SquaredError adds the squared error of each image to the graph, weighted and summed
// over its pixels. It is Nodes of every objective here.
func SquaredError(d, y, weight *gorgonia.Node) (*gorgonia.Node, error) {
	return op.Apply(op.SquaredError{}, d, y, weight)
}

// positive returns a fault for a constant that is not a finite number above 0.
func positive(name string, v float64) error {
	if !(v > 0) || math.IsInf(v, 1) {
		return fmt.Errorf("loss: %s is %v, want a positive number", name, v)
	}
	return nil
}

// rising returns a fault for a range of noise levels that is none.
func rising(low, high float64) error {
	if !(low > 0 && high > low) || math.IsInf(high, 1) {
		return fmt.Errorf("loss: sigma_min is %v and sigma_max is %v, want finite numbers with 0 < sigma_min < sigma_max", low, high)
	}
	return nil
}
