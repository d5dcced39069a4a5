package generate

import (
	"fmt"
	"image"

	"edm/internal/picture"
	"edm/internal/rng"
	"edm/model"
	"edm/sample"
)

// Source is a denoiser with the shape and the classes of its images. Guidance and
// inpainting replace the denoiser.
type Source struct {
	Denoiser                sample.Denoiser
	Channels, Height, Width int
	Classes                 int // 0 if the denoiser is unconditional
}

// FromModel returns a model with its weights as a source. At most batch images at a
// time pass over the network.
func FromModel(m *model.Model, weights []float32, batch int) (Source, error) {
	d, err := m.Denoiser(weights, batch)
	if err != nil {
		return Source{}, err
	}
	n := m.Config().Network
	return Source{
		Denoiser: d, Channels: n.InChannels, Height: n.ImgResolution, Width: n.ImgResolution,
		Classes: n.LabelDim,
	}, nil
}

// Dim returns the numbers in one image.
func (s Source) Dim() int { return s.Channels * s.Height * s.Width }

// Labels returns classes of n images as one-hot rows [n, Classes]; -1 is a row
// of zeros. An unconditional source takes nil classes and returns nil.
func (s Source) Labels(n int, classes []int) ([]float32, error) {
	if s.Classes == 0 && classes == nil {
		return nil, nil
	}
	if len(classes) != n {
		return nil, fmt.Errorf("classes of %d images, want %d", len(classes), n)
	}
	labels := make([]float32, n*s.Classes)
	for i, class := range classes {
		if class < -1 || class >= s.Classes {
			return nil, fmt.Errorf("class %d, want -1 to %d", class, s.Classes-1)
		}
		if class >= 0 {
			labels[i*s.Classes+class] = 1
		}
	}
	return labels, nil
}

// Classes draws the class of each seed's image from the seed alone; nil of a source
// without classes.
func Classes(seeds []uint64, classes int) []int {
	if classes == 0 {
		return nil
	}
	out := make([]int, len(seeds))
	for i, seed := range seeds {
		draw := rng.New(seed, rng.Label, 0)
		out[i] = draw.Intn(classes)
	}
	return out
}

// Image returns one image's numbers, [C,H,W] in [-1, 1], as a picture: grey for one
// channel, RGB for three.
func (s Source) Image(pixels []float64) (image.Image, error) {
	return picture.Image(pixels, s.Channels, s.Height, s.Width)
}
