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
	"sync"
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

// builder makes a preconditioning of its constants.
type builder = func(params map[string]float64) (Preconditioning, error)

var (
	registering sync.RWMutex
	registered  = map[string]builder{}
)

// Register lets New build the preconditioning called name, so that configurations and
// snapshots can name it. build is called as New is; a later call with the same name
// replaces it. The names of this package cannot be registered.
func Register(name string, build func(params map[string]float64) (Preconditioning, error)) error {
	if _, taken := published()[name]; taken || name == "" || build == nil {
		return fmt.Errorf("precond: register %q: want a name that the package does not have, and a constructor", name)
	}
	registering.Lock()
	defer registering.Unlock()
	registered[name] = build
	return nil
}

// builders lists the constructors by name.
func builders() map[string]builder {
	registering.RLock()
	defer registering.RUnlock()
	all := maps.Clone(registered)
	maps.Copy(all, published())
	return all
}

func published() map[string]builder {
	return map[string]builder{EDMName: newEDM, VPName: newVP, VEName: newVE, IDDPMName: newIDDPM}
}

// Names returns the names New knows, sorted.
func Names() []string { return slices.Sorted(maps.Keys(builders())) }

// New returns the preconditioning called name. params sets constants by name
// ("sigma_data"); those left out have their published values, and nil means all
// of them. An unknown name, an unknown constant or an impossible value is an
// error.
func New(name string, params map[string]float64) (Preconditioning, error) {
	build, ok := builders()[name]
	if !ok {
		return nil, fmt.Errorf("precond: unknown preconditioning %q, want one of %s",
			name, strings.Join(Names(), ", "))
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
