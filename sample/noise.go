package sample

import (
	"fmt"

	"edm/internal/rng"
)

// Noise fills dst, [N, Dim] row-major, with the unit normals of draw number
// draw. Equal numbers give equal draws and different numbers independent ones.
// A solver that draws once a step uses the step's index. A sampler computes
// draws ahead on a goroutine of its own, one at a time.
type Noise func(dst []float64, draw uint64) error

// Latents fills dst, [len(seeds), dim] row-major, with the unit normals that
// sampling starts from. Row i is a function of seeds[i] alone.
func Latents(dst []float64, seeds []uint64, dim int) error {
	return fillRows(dst, seeds, dim, rng.Latents, 0)
}

// SeedNoise returns the Noise of a stochastic solver for len(seeds) images of
// dim numbers each: row i of a draw is a function of seeds[i] and the number of
// the draw alone, and independent of the image's latents. It keeps seeds.
func SeedNoise(seeds []uint64, dim int) Noise {
	return func(dst []float64, draw uint64) error {
		return fillRows(dst, seeds, dim, rng.Churn, draw)
	}
}

func fillRows(dst []float64, seeds []uint64, dim int, stream rng.Stream, index uint64) error {
	if dim < 1 || len(dst)%dim != 0 || len(dst)/dim != len(seeds) {
		return fmt.Errorf("sample: draw noise: room for %d numbers, want %d seeds times %d", len(dst), len(seeds), dim)
	}
	for i, seed := range seeds {
		rng.FillNormal(dst[i*dim:(i+1)*dim], seed, stream, index)
	}
	return nil
}
