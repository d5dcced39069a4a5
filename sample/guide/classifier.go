package guide

import (
	"context"
	"errors"
	"fmt"

	"edm/sample"
)

// Classifier knows the classes of noisy images.
type Classifier interface {
	// Gradient writes the gradient of ln p(class | x; sigma) by x of each image to
	// its row of dst. x and dst are [N, Dim] row-major and do not alias; x must
	// not be changed; labels is [N, K], one-hot.
	Gradient(ctx context.Context, dst, x []float64, sigma float64, labels []float32) error
}

// ClassifierRows is a Classifier that takes a noise level for each image.
type ClassifierRows interface {
	Classifier
	// GradientRows is Gradient with sigmas [N].
	GradientRows(ctx context.Context, dst, x, sigmas []float64, labels []float32) error
}

// NewClassifier returns the guidance of a network by a classifier (Dhariwal &
// Nichol 2021):
//
//	D + w sigma^2 grad_x ln p(class | x; sigma)
//
// which is the score of p(x) p(class | x)^w by D = x + sigma^2 score. Both are
// given the labels; wrap an unconditional network in WithoutLabels. Weight 0 is
// the plain network for one evaluation; any other weight also takes a gradient,
// counted as one. Denoising without labels is an error.
func NewClassifier(d sample.Denoiser, c Classifier, o Options) (Denoiser, error) {
	if d == nil || c == nil {
		return nil, errors.New("guide: classifier guidance: want a network and a classifier")
	}
	g, err := newDenoiser(d, gradient{c, o.Weight}, o, true)
	if err != nil {
		return nil, fmt.Errorf("guide: classifier guidance: %w", err)
	}
	return g, nil
}

// gradient is a partner that is a classifier.
type gradient struct {
	c      Classifier
	weight float64
}

func (g gradient) evaluate(ctx context.Context, dst []float64, r request) error {
	if r.sigmas == nil {
		return g.c.Gradient(ctx, dst, r.x, r.sigma, r.labels)
	}
	return g.c.(ClassifierRows).GradientRows(ctx, dst, r.x, r.sigmas, r.labels)
}

func (g gradient) mix(d, term []float64, sigma float64) {
	f := g.weight * sigma * sigma
	for j, v := range term {
		d[j] += f * v
	}
}

func (g gradient) idle() bool  { return g.weight == 0 }
func (g gradient) alone() bool { return false }

func (g gradient) rows() bool {
	_, ok := g.c.(ClassifierRows)
	return ok
}

func (g gradient) cost(float64) int { return 1 }

func (g gradient) sigmaRange() (low, high float64, ok bool) { return 0, 0, false }
