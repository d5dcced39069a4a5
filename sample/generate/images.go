package generate

import (
	"context"
	"errors"
	"image"

	"edm/model"
	"edm/sample"
)

// Options say how Images draws.
type Options struct {
	Sampler sample.Options // for example sample.EDM()
	Batch   int            // images at a time over the network; 0 is 16
	// Classes are those of each image, -1 for none. nil draws them (see Classes).
	Classes []int
	// Denoiser wraps the network's denoiser, as package guide and sample.Inpaint do; nil
	// leaves it as it is.
	Denoiser func(sample.Denoiser) (sample.Denoiser, error)
	// Start is one image [Dim] in [-1, 1] that all images start from (SDEdit); nil starts
	// from noise alone.
	Start []float64
	Hook  func(sample.Step) error // called after every step of every batch; may be nil
}

// Images returns one image for each seed, drawn from a model with its weights. The
// same seed gives the same image whatever the other seeds and the batch are.
func Images(ctx context.Context, m *model.Model, weights []float32, seeds []uint64, o Options) ([]image.Image, error) {
	if len(seeds) == 0 {
		return nil, errors.New("generate: no seeds, want one for each image")
	}
	batch := o.Batch
	if batch <= 0 {
		batch = 16
	}
	batch = min(batch, len(seeds))
	s, err := FromModel(m, weights, batch)
	if err != nil {
		return nil, err
	}
	if o.Denoiser != nil {
		if s.Denoiser, err = o.Denoiser(s.Denoiser); err != nil {
			return nil, err
		}
	}
	g, err := New(s, o.Sampler)
	if err != nil {
		return nil, err
	}
	classes := o.Classes
	if classes == nil {
		classes = Classes(seeds, s.Classes)
	}
	if classes != nil && len(classes) != len(seeds) {
		_, err := s.Labels(len(seeds), classes)
		return nil, errors.Join(errors.New("generate: classes do not fit the seeds"), err)
	}
	return g.all(ctx, seeds, classes, batch, o)
}

// all draws batch after batch.
func (g *Generator) all(ctx context.Context, seeds []uint64, classes []int, batch int, o Options) ([]image.Image, error) {
	var images []image.Image
	for at := 0; at < len(seeds); at += batch {
		end := min(at+batch, len(seeds))
		r := Request{Seeds: seeds[at:end], Start: o.Start, Hook: o.Hook}
		if classes != nil {
			r.Classes = classes[at:end]
		}
		more, _, err := g.Generate(ctx, r)
		if err != nil {
			return nil, err
		}
		images = append(images, more...)
	}
	return images, nil
}
