package data

import (
	"fmt"
	"math"
	"slices"

	"edm/internal/rng"
)

// Subset returns n of the images of ds, in their order there, chosen at random
// but always the same ones. Classes stay as they are, even those left without
// an image. It fails unless 1 <= n <= ds.Len().
func Subset(ds Dataset, n int) (Dataset, error) {
	if err := check(ds); err != nil {
		return nil, fmt.Errorf("data: subset: %w", err)
	}
	if n < 1 || n > ds.Len() {
		return nil, fmt.Errorf("data: subset of %s: %d images, want 1 to %d", ds.Name(), n, ds.Len())
	}
	order := make([]int32, ds.Len())
	rng.Perm(order, 0, rng.DataOrder, math.MaxUint64) // no epoch has this index
	index := slices.Clone(order[:n])
	slices.Sort(index)
	return &subset{ds, index}, nil
}

type subset struct {
	Dataset
	index []int32
}

func (s *subset) Len() int        { return len(s.index) }
func (s *subset) Label(i int) int { return s.Dataset.Label(int(s.index[i])) }
func (s *subset) Close() error    { return Close(s.Dataset) }

func (s *subset) Image(i int, dst []uint8) error {
	if err := checkImage(s, i, dst); err != nil {
		return err
	}
	return s.Dataset.Image(int(s.index[i]), dst)
}
