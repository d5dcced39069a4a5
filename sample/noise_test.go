package sample

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"
)

func TestLatentsDependOnTheirOwnSeed(t *testing.T) {
	const dim = 7
	all, one := make([]float64, 3*dim), make([]float64, dim)
	seeds := []uint64{5, 1 << 40, 5}
	if err := Latents(all, seeds, dim); err != nil {
		t.Fatal(err)
	}
	for i := range seeds {
		if err := Latents(one, seeds[i:i+1], dim); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(one, all[i*dim:(i+1)*dim]) {
			t.Errorf("row %d differs from the latents of its seed alone", i)
		}
	}
	if slices.Equal(all[:dim], all[dim:2*dim]) {
		t.Error("two seeds have the same latents")
	}
}

func TestDrawsDiffer(t *testing.T) {
	const dim = 4
	seeds := []uint64{1, 2}
	noise := SeedNoise(seeds, dim)
	seen := map[float64]bool{}
	for k := range uint64(3) {
		x := make([]float64, 2*dim)
		if err := noise(x, k); err != nil {
			t.Fatal(err)
		}
		for _, v := range x {
			seen[v] = true
		}
	}
	latents := make([]float64, 2*dim)
	if err := Latents(latents, seeds, dim); err != nil {
		t.Fatal(err)
	}
	for _, v := range latents {
		seen[v] = true
	}
	if want := 4 * 2 * dim; len(seen) != want {
		t.Errorf("%d distinct numbers in 3 draws and the latents, want %d", len(seen), want)
	}
}

// TestDrawsAhead: the noise of a step is drawn while the network works on it, so
// that a step does not wait for it.
func TestDrawsAhead(t *testing.T) {
	drawn := make(chan uint64, 8)
	den, step := anyRange(), 0
	den.denoise = func(_ context.Context, dst, x []float64, sigma float64, _ []float32) error {
		copy(dst, x)
		if step++; step == 4 { // the last step has no noise
			return nil
		}
		select {
		case <-drawn:
			return nil
		case <-time.After(10 * time.Second):
			return errors.New("no draw is under way")
		}
	}
	s := mustNew(t, den, options("euler-ancestral", 4))
	noise := func(dst []float64, draw uint64) error {
		drawn <- draw
		clear(dst)
		return nil
	}
	if _, err := s.Sample(t.Context(), Batch{X: []float64{1}, Dim: 1, Noise: noise}); err != nil {
		t.Error(err)
	}
}

func TestNoiseShapeFaults(t *testing.T) {
	seeds := []uint64{1, 2}
	for _, c := range []struct{ n, dim int }{{5, 3}, {3, 3}, {9, 3}, {6, 0}, {6, -3}, {0, 3}} {
		if Latents(make([]float64, c.n), seeds, c.dim) == nil {
			t.Errorf("Latents into %d numbers of 2 images of %d succeeded", c.n, c.dim)
		}
		if SeedNoise(seeds, c.dim)(make([]float64, c.n), 0) == nil {
			t.Errorf("SeedNoise into %d numbers of 2 images of %d succeeded", c.n, c.dim)
		}
	}
}
