package cli

import (
	"context"
	"fmt"
	"image"

	"edm/internal/picture"
	"edm/model"
	"edm/sample"
)

// Artist draws images from a denoiser with fixed sampler options. An image is a
// function of its own seed and class alone, whatever is drawn beside it.
type Artist struct {
	*sample.Sampler
	shape   [3]int // channels, height, width
	classes int
	churn   bool
	x       []float64
	labels  []float32
}

// NewArtist returns an Artist for a model and its weights, of which it passes at
// most batch images at a time over the network.
func NewArtist(m *model.Model, weights []float32, o sample.Options, batch int) (*Artist, error) {
	d, err := m.Denoiser(weights, batch)
	if err != nil {
		return nil, err
	}
	s, err := sample.New(d, o)
	if err != nil {
		return nil, err
	}
	n := m.Config().Network
	return &Artist{
		Sampler: s, shape: [3]int{n.OutChannels, n.ImgResolution, n.ImgResolution},
		classes: n.LabelDim, churn: o.SChurn > 0,
	}, nil
}

// Classes returns the number of classes; 0 if the network is unconditional.
func (a *Artist) Classes() int { return a.classes }

// Draw returns one image a seed. classes holds the class of each, -1 for none,
// and is nil for an unconditional network. step, if not nil, is called after
// every sampler step.
func (a *Artist) Draw(ctx context.Context, seeds []uint64, classes []int, step func()) ([]image.Image, error) {
	dim := a.shape[0] * a.shape[1] * a.shape[2]
	a.x = grow(a.x, len(seeds)*dim)
	if err := sample.Latents(a.x, seeds, dim); err != nil {
		return nil, err
	}
	b := sample.Batch{X: a.x, Dim: dim}
	if err := a.setLabels(&b, len(seeds), classes); err != nil {
		return nil, err
	}
	if a.churn {
		b.Noise = sample.SeedNoise(seeds, dim)
	}
	if step != nil {
		b.Hook = func(sample.Step) error { step(); return nil }
	}
	if _, err := a.Sample(ctx, b); err != nil {
		return nil, err
	}
	images := make([]image.Image, len(seeds))
	for i := range images {
		var err error
		images[i], err = picture.Image(a.x[i*dim:(i+1)*dim], a.shape[0], a.shape[1], a.shape[2])
		if err != nil {
			return nil, fmt.Errorf("seed %d: %w", seeds[i], err)
		}
	}
	return images, nil
}

// setLabels writes the classes of n images as one-hot rows.
func (a *Artist) setLabels(b *sample.Batch, n int, classes []int) error {
	if a.classes == 0 && classes == nil {
		return nil
	}
	if len(classes) != n {
		return fmt.Errorf("classes of %d images, want %d", len(classes), n)
	}
	a.labels = grow(a.labels, n*a.classes)
	clear(a.labels)
	for i, class := range classes {
		if class < -1 || class >= a.classes {
			return fmt.Errorf("class %d, want -1 to %d", class, a.classes-1)
		}
		if class >= 0 {
			a.labels[i*a.classes+class] = 1
		}
	}
	b.Labels = a.labels
	return nil
}

// grow returns a slice of length n, s's own memory if it suffices.
func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
