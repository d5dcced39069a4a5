package cli

import (
	"context"
	"fmt"
	"image"

	"edm/model"
	"edm/sample"
)

// Artist draws images of a subject with fixed sampler options. An image is a
// function of its own seed and class alone, whatever is drawn beside it.
type Artist struct {
	*sample.Sampler
	subject Subject
	x       []float64
	start   []float64
}

// NewArtist returns an Artist for a model and its weights, of which it passes at
// most batch images at a time over the network.
func NewArtist(m *model.Model, weights []float32, o sample.Options, batch int) (*Artist, error) {
	s, err := NewSubject(m, weights, batch)
	if err != nil {
		return nil, err
	}
	return NewArtistOf(s, o)
}

// NewArtistOf returns an Artist for a subject.
func NewArtistOf(s Subject, o sample.Options) (*Artist, error) {
	sampler, err := sample.New(s.Denoiser, o)
	if err != nil {
		return nil, err
	}
	return &Artist{Sampler: sampler, subject: s}, nil
}

// Classes returns the number of classes; 0 if the network is unconditional.
func (a *Artist) Classes() int { return a.subject.Classes }

// Order is what to draw.
type Order struct {
	Seeds   []uint64 // one an image
	Classes []int    // of each image, -1 for none; nil for an unconditional subject
	// Start is one image [Dim] that all of them start from, noised to the
	// sampler's first level (SDEdit); nil starts from noise alone.
	Start []float64
	Hook  func(sample.Step) error // called after every sampler step; may be nil
}

// Draw returns one image a seed. classes is as in Order. step, if not nil, is
// called after every sampler step.
func (a *Artist) Draw(ctx context.Context, seeds []uint64, classes []int, step func()) ([]image.Image, error) {
	order := Order{Seeds: seeds, Classes: classes}
	if step != nil {
		order.Hook = func(sample.Step) error { step(); return nil }
	}
	images, _, err := a.Fill(ctx, order)
	return images, err
}

// Fill returns one image for each seed of an order, and what the sampler reports
// of the run.
func (a *Artist) Fill(ctx context.Context, order Order) ([]image.Image, sample.Result, error) {
	x, result, err := a.pixels(ctx, order)
	if err != nil {
		return nil, result, err
	}
	dim := a.subject.Dim()
	images := make([]image.Image, len(order.Seeds))
	for i := range images {
		if images[i], err = a.subject.Image(x[i*dim : (i+1)*dim]); err != nil {
			return nil, result, fmt.Errorf("seed %d: %w", order.Seeds[i], err)
		}
	}
	return images, result, nil
}

// pixels returns the images' numbers, which are valid until the next call.
func (a *Artist) pixels(ctx context.Context, order Order) ([]float64, sample.Result, error) {
	n, dim := len(order.Seeds), a.subject.Dim()
	a.x = grow(a.x, n*dim)
	if err := sample.Latents(a.x, order.Seeds, dim); err != nil {
		return nil, sample.Result{}, err
	}
	labels, err := a.subject.Labels(n, order.Classes)
	if err != nil {
		return nil, sample.Result{}, err
	}
	b := sample.Batch{X: a.x, Dim: dim, Labels: labels, Hook: order.Hook}
	if a.Stochastic() {
		b.Noise = sample.SeedNoise(order.Seeds, dim)
	}
	if order.Start != nil {
		a.start = grow(a.start, n*dim)
		for i := range n {
			copy(a.start[i*dim:(i+1)*dim], order.Start)
		}
		b.Image = a.start
	}
	result, err := a.Sample(ctx, b)
	return a.x, result, err
}

// grow returns a slice of length n, s's own memory if it suffices.
func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
