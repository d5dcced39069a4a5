package cli

import (
	"fmt"
	"image"

	"edm/internal/picture"
	"edm/model"
	"edm/sample"
)

// Subject is what images are drawn from: a denoiser, with the shape and the
// classes of its images.
type Subject struct {
	Denoiser                sample.Denoiser
	Channels, Height, Width int
	Classes                 int // 0 if the denoiser is unconditional
}

// NewSubject returns a model with its weights as a subject. At most batch images
// at a time pass over the network.
func NewSubject(m *model.Model, weights []float32, batch int) (Subject, error) {
	d, err := m.Denoiser(weights, batch)
	if err != nil {
		return Subject{}, err
	}
	n := m.Config().Network
	return Subject{
		Denoiser: d, Channels: n.InChannels, Height: n.ImgResolution, Width: n.ImgResolution,
		Classes: n.LabelDim,
	}, nil
}

// Dim returns the numbers in one image.
func (s Subject) Dim() int { return s.Channels * s.Height * s.Width }

// Labels returns classes of n images as one-hot rows [n, Classes]; -1 is a row
// of zeros. An unconditional subject takes nil classes and returns nil.
func (s Subject) Labels(n int, classes []int) ([]float32, error) {
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

// Image returns one image's numbers, [C,H,W] in [-1, 1], as a picture.
func (s Subject) Image(pixels []float64) (image.Image, error) {
	return picture.Image(pixels, s.Channels, s.Height, s.Width)
}
