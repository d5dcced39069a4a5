// Package precond is the preconditioning of the EDM paper (Karras et al. 2022,
// Sec. 5, Table 1): the four scalars that turn a raw network F into a denoiser
//
//	D(x; sigma) = c_skip(sigma) x + c_out(sigma) F(c_in(sigma) x; c_noise(sigma))
//
// (EDM Eq. 7), in float64 and without any graph.
package precond

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"edm/internal/registry"
)

// Coeffs are the four scalars of EDM Eq. 7 at one noise level.
type Coeffs struct {
	CSkip  float64 // weight of the noisy image itself
	COut   float64 // scale of the network's output
	CIn    float64 // scale of the network's input
	CNoise float64 // the network's input for the noise level
}

// Preconditioning is one column of EDM Table 1, "Network and preconditioning".
// Implementations are immutable values and safe for concurrent use.
type Preconditioning interface {
	// Name returns the name that New knows it by.
	Name() string
	// Params returns a new map of every constant, under the names New takes:
	// New(p.Name(), p.Params()) equals p.
	Params() map[string]float64
	// Coeffs returns the coefficients at sigma, which must be finite and
	// positive, or 0 where RoundSigma returns that. A network that knows few
	// noise levels is told the nearest.
	Coeffs(sigma float64) Coeffs
	// RoundSigma returns the noise level nearest to sigma that the network is
	// given; it is sigma itself where the network takes any.
	RoundSigma(sigma float64) float64
	// SigmaRange returns the noise levels that the network supports; max may be
	// infinite.
	SigmaRange() (min, max float64)
}

var byName = registry.New("precond", "preconditioning", func() map[string]registry.Builder[Preconditioning] {
	return map[string]registry.Builder[Preconditioning]{EDMName: newEDM, VPName: newVP, VEName: newVE, IDDPMName: newIDDPM}
})

// Register lets New build the preconditioning called name, so that configurations and
// snapshots can name it. New calls build with its own arguments. A later call with the
// same name replaces it; the names of this package are errors.
func Register(name string, build func(params map[string]float64) (Preconditioning, error)) error {
	return byName.Register(name, build)
}

// Names returns the names New knows, sorted.
func Names() []string { return byName.Names() }

// New returns the preconditioning called name. params sets constants by name
// ("sigma_data"); those left out have their published values, and nil means all
// of them. An unknown name, an unknown constant or an impossible value is an
// error.
func New(name string, params map[string]float64) (Preconditioning, error) {
	build, err := byName.Builder(name)
	if err != nil {
		return nil, err
	}
	p, err := build(params)
	if err != nil {
		return nil, fmt.Errorf("precond: %s: %w", name, err)
	}
	return p, nil
}

// assign copies params into the fields named alike and reports the first name,
// in sorted order, that no field has.
func assign(params map[string]float64, fields map[string]*float64) error {
	for _, name := range slices.Sorted(maps.Keys(params)) {
		field, ok := fields[name]
		if !ok {
			return fmt.Errorf("unknown constant %q, want %s",
				name, strings.Join(slices.Sorted(maps.Keys(fields)), ", "))
		}
		*field = params[name]
	}
	return nil
}
