// Package generate turns seeds into pictures: it joins a network's denoiser, a sampler,
// the classes of the images and their pixels. An image is a function of its own seed
// and class alone, whatever is drawn beside it.
package generate

import (
	"context"
	"fmt"
	"image"

	"edm/sample"
)

// Generator draws images of a source with fixed sampler options. It keeps its memory
// between calls and is not safe for concurrent use.
type Generator struct {
	*sample.Sampler
	source Source
	x      []float64
	start  []float64
}

// New returns a generator for a source.
func New(s Source, o sample.Options) (*Generator, error) {
	sampler, err := sample.New(s.Denoiser, o)
	if err != nil {
		return nil, err
	}
	return &Generator{Sampler: sampler, source: s}, nil
}

// Request names the images of one batch.
type Request struct {
	Seeds   []uint64 // one an image
	Classes []int    // of each image, -1 for none; nil for an unconditional source
	// Start is one image [Dim] that all of them start from, noised to the
	// sampler's first level (SDEdit); nil starts from noise alone.
	Start []float64
	Hook  func(sample.Step) error // called after every sampler step; may be nil
}

// Generate returns one image for each seed, in one batch, and the sampler's report of
// the run.
func (g *Generator) Generate(ctx context.Context, r Request) ([]image.Image, sample.Result, error) {
	x, result, err := g.pixels(ctx, r)
	if err != nil {
		return nil, result, err
	}
	dim := g.source.Dim()
	images := make([]image.Image, len(r.Seeds))
	for i := range images {
		if images[i], err = g.source.Image(x[i*dim : (i+1)*dim]); err != nil {
			return nil, result, fmt.Errorf("generate: seed %d: %w", r.Seeds[i], err)
		}
	}
	return images, result, nil
}

// pixels returns the images' numbers, which are valid until the next call.
func (g *Generator) pixels(ctx context.Context, r Request) ([]float64, sample.Result, error) {
	n, dim := len(r.Seeds), g.source.Dim()
	g.x = grow(g.x, n*dim)
	if err := sample.Latents(g.x, r.Seeds, dim); err != nil {
		return nil, sample.Result{}, err
	}
	labels, err := g.source.Labels(n, r.Classes)
	if err != nil {
		return nil, sample.Result{}, fmt.Errorf("generate: %w", err)
	}
	b := sample.Batch{X: g.x, Dim: dim, Labels: labels, Hook: r.Hook}
	if g.Stochastic() {
		b.Noise = sample.SeedNoise(r.Seeds, dim)
	}
	if r.Start != nil {
		if len(r.Start) != dim {
			return nil, sample.Result{}, fmt.Errorf("generate: the image to start from has %d numbers, want %d", len(r.Start), dim)
		}
		g.start = grow(g.start, n*dim)
		for i := range n {
			copy(g.start[i*dim:(i+1)*dim], r.Start)
		}
		b.Image = g.start
	}
	result, err := g.Sample(ctx, b)
	return g.x, result, err
}

// grow returns a slice of length n, s's own memory if it suffices.
func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
