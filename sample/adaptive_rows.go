package sample

import (
	"context"
	"fmt"
)

// imagewise is a Denoiser that has to know which images of the batch it is
// given.
type imagewise interface {
	denoiseImages(ctx context.Context, dst, x, sigmas []float64, labels []float32, images []int) error
}

// subset holds some images of a batch side by side.
type subset struct {
	dst, x, sigmas []float64
	labels         []float32
}

// evaluate writes D(x; sigma) of some images to their rows of dst, at the noise
// levels a.sigmas, and counts it. x and dst are [N, dim].
func (a *adaptive) evaluate(dst, x []float64, images []int) error {
	if len(images) == 0 {
		return nil
	}
	s := &a.subset
	s.gather(a, x, images)
	if err := denoiseSome(a.ctx, a.den, s.dst, s.x, s.sigmas, s.labels, images); err != nil {
		return fmt.Errorf("sample: step %d at sigma %g: %w", a.step, s.sigmas[0], err)
	}
	for k, i := range images {
		row := s.dst[k*a.Dim : (k+1)*a.Dim]
		if j := firstNonFinite(row); j >= 0 {
			return fmt.Errorf("sample: step %d at sigma %g: the denoiser returned %g for number %d of image %d; check its weights and its precision",
				a.step, s.sigmas[k], row[j], j, i)
		}
		copy(a.row(dst, i), row)
		a.imageNFE[i]++
		a.nfe = max(a.nfe, a.imageNFE[i])
	}
	return nil
}

func (s *subset) gather(a *adaptive, x []float64, images []int) {
	s.x, s.sigmas, s.labels = s.x[:0], s.sigmas[:0], s.labels[:0]
	perImage := len(a.labels) / a.Images()
	for _, i := range images {
		s.x = append(s.x, a.row(x, i)...)
		s.sigmas = append(s.sigmas, a.sigmas[i])
		s.labels = append(s.labels, a.labels[i*perImage:(i+1)*perImage]...)
	}
	if len(s.labels) == 0 {
		s.labels = nil
	}
	s.dst = resized(s.dst, len(s.x))
}

// denoiseSome writes D(x; sigmas) to dst for some images of a batch, all at once
// if den can and otherwise one by one. images has their numbers in the batch.
func denoiseSome(ctx context.Context, den Denoiser, dst, x, sigmas []float64, labels []float32, images []int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	switch d := den.(type) {
	case imagewise:
		return d.denoiseImages(ctx, dst, x, sigmas, labels, images)
	case Rows:
		return d.DenoiseRows(ctx, dst, x, sigmas, labels)
	}
	dim, perImage := len(x)/len(sigmas), len(labels)/len(sigmas)
	for k, sigma := range sigmas {
		if err := ctx.Err(); err != nil {
			return err
		}
		var own []float32
		if labels != nil {
			own = labels[k*perImage : (k+1)*perImage]
		}
		a, b := k*dim, (k+1)*dim
		if err := den.Denoise(ctx, dst[a:b], x[a:b], sigma, own); err != nil {
			return err
		}
	}
	return nil
}
