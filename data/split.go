package data

import (
	"fmt"
	"math"
	"slices"

	"edm/internal/rng"
)

// Split holds out n images of ds, chosen at random but always the same ones,
// and returns the rest and them, each in their order in ds. Both share ds; close
// it once, through either. It fails unless 1 <= n < ds.Len().
func Split(ds Dataset, n int) (rest, held Dataset, err error) {
	if err := check(ds); err != nil {
		return nil, nil, fmt.Errorf("data: split: %w", err)
	}
	if n < 1 || n >= ds.Len() {
		return nil, nil, fmt.Errorf("data: split %s: hold out %d of %d images: want at least one on each side", ds.Name(), n, ds.Len())
	}
	order := make([]int32, ds.Len())
	rng.Perm(order, 0, rng.Validate, math.MaxUint64) // no validation noise has this index
	out, in := slices.Clone(order[:n]), slices.Clone(order[n:])
	slices.Sort(out)
	slices.Sort(in)
	return &subset{ds, in}, &subset{ds, out}, nil
}
