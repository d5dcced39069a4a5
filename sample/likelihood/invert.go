package likelihood

import (
	"context"
	"errors"
	"fmt"
	"math"

	"edm/sample"
)

// Inverter takes images to the latents that a deterministic sampler would make
// them from, and back. It keeps its workspace and is for one goroutine at a
// time.
type Inverter struct{ flow flow }

// NewInverter returns an inverter for a denoiser. The path's noise levels are
// clipped to the network's range, which Notes reports.
func NewInverter(den sample.Denoiser, p Path) (*Inverter, error) {
	if den == nil {
		return nil, errors.New("likelihood: no denoiser")
	}
	if err := p.Validate(); err != nil {
		return nil, fmt.Errorf("likelihood: path: %w", err)
	}
	f, err := newFlow(den, p)
	if err != nil {
		return nil, fmt.Errorf("likelihood: %w", err)
	}
	return &Inverter{f}, nil
}

// Notes returns the changes that NewInverter made to the path, one line each.
func (v *Inverter) Notes() []string { return v.flow.levels.notes }

// Ends returns the noise levels of images and latents: the path's, as the network
// supports them.
func (v *Inverter) Ends() (sigmaMin, sigmaMax float64) { return v.flow.levels.ends() }

// NFE returns the evaluations of one way.
func (v *Inverter) NFE() int { return v.flow.levels.evaluations() }

// Invert replaces the images in x, [N, dim] in [-1, 1], by their latents
// x(sigma_max)/sigma_max, nearly unit normals: the latents of a sampler's
// batch. An image is taken to have noise of sigma_min. labels is [N, LabelDim],
// or nil for none. After an error x is undefined.
func (v *Inverter) Invert(ctx context.Context, x []float64, dim int, labels []float32) error {
	if err := checkImages(x, dim, labels); err != nil {
		return fmt.Errorf("likelihood: invert: %w", err)
	}
	v.flow.begin(ctx, dim, labels, nil)
	defer v.flow.end()
	if err := v.flow.up(x); err != nil {
		return fmt.Errorf("likelihood: invert: %w", err)
	}
	_, sigmaMax := v.flow.levels.ends()
	for j := range x {
		x[j] /= sigmaMax
	}
	return nil
}

// Revert replaces latents by images of noise sigma_min along the same path: the
// inverse of Invert up to the errors of its steps.
func (v *Inverter) Revert(ctx context.Context, x []float64, dim int, labels []float32) error {
	if err := checkImages(x, dim, labels); err != nil {
		return fmt.Errorf("likelihood: revert: %w", err)
	}
	v.flow.begin(ctx, dim, labels, nil)
	defer v.flow.end()
	_, sigmaMax := v.flow.levels.ends()
	for j := range x {
		x[j] *= sigmaMax
	}
	if err := v.flow.down(x); err != nil {
		return fmt.Errorf("likelihood: revert: %w", err)
	}
	return nil
}

// RoundTrip compares images with those that came back from their latents.
type RoundTrip struct {
	Latents []float64 // [N, dim]
	Images  []float64 // [N, dim], restored
	RMS     []float64 // [N], of the restored image's error, in the units of the images (8-bit levels are 1/127.5)
	Max     []float64 // [N], the largest error of a number
	NFE     int       // evaluations, both ways together
}

// RoundTrip inverts images, which it does not change, and reverts the latents
// with the same labels.
func (v *Inverter) RoundTrip(ctx context.Context, images []float64, dim int, labels []float32) (RoundTrip, error) {
	r := RoundTrip{Latents: append([]float64(nil), images...), NFE: 2 * v.NFE()}
	if err := v.Invert(ctx, r.Latents, dim, labels); err != nil {
		return RoundTrip{}, err
	}
	r.Images = append([]float64(nil), r.Latents...)
	if err := v.Revert(ctx, r.Images, dim, labels); err != nil {
		return RoundTrip{}, err
	}
	for at := 0; at < len(images); at += dim {
		var sum, most float64
		for j := at; j < at+dim; j++ {
			e := math.Abs(r.Images[j] - images[j])
			sum += e * e
			most = max(most, e)
		}
		r.RMS, r.Max = append(r.RMS, math.Sqrt(sum/float64(dim))), append(r.Max, most)
	}
	return r, nil
}

func checkImages(x []float64, dim int, labels []float32) error {
	if dim < 1 || len(x) == 0 || len(x)%dim != 0 {
		return fmt.Errorf("%d numbers are not one or more images of %d", len(x), dim)
	}
	if n := len(x) / dim; len(labels)%n != 0 {
		return fmt.Errorf("%d label values do not divide among %d images", len(labels), n)
	}
	for j, v := range x {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("number %d of image %d is %g, want finite numbers", j%dim, j/dim, v)
		}
	}
	return nil
}
