package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"edm/checkpoints/safetensors"
	"edm/data"
	"edm/internal/cli"
	"edm/sample/likelihood"
)

// invertImages maps a dataset's images to latents and back and reports the error.
func (s *job) invertImages(ctx context.Context) (err error) {
	v, err := likelihood.NewInverter(s.source.Denoiser, s.density.options.Path)
	if err != nil {
		return cli.Usagef("--invert: %w", err)
	}
	im, err := s.openImages()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, data.Close(im.Dataset)) }()
	s.announceWay(im, 2*v.NFE(), v.Notes())
	var latents []float32
	var sum, most float64
	for at := 0; at < im.Len(); at += s.batch {
		end := min(at+s.batch, im.Len())
		r, err := s.roundTrip(ctx, v, im, at, end)
		if err != nil {
			return fmt.Errorf("--invert: images %d to %d: %w", at, end-1, err)
		}
		for i := range r.RMS {
			sum, most = sum+r.RMS[i]*r.RMS[i], max(most, r.Max[i])
		}
		for _, z := range r.Latents {
			latents = append(latents, float32(z))
		}
		fmt.Fprintf(s.stdout, "%d/%d images\n", end, im.Len())
	}
	rms := math.Sqrt(sum / float64(im.Len()))
	fmt.Fprintf(s.stdout, "round trip: RMS error %.3g, largest %.3g (8-bit levels are %.3g apart)\n", rms, most, 1/127.5)
	_, sigmaMax := v.Ends()
	return s.saveLatents(im, latents, sigmaMax)
}

func (s *job) roundTrip(ctx context.Context, v *likelihood.Inverter, im *images, at, end int) (likelihood.RoundTrip, error) {
	bytes, classes, err := im.batch(at, end)
	if err != nil {
		return likelihood.RoundTrip{}, err
	}
	labels, err := s.source.Labels(end-at, classes)
	if err != nil {
		return likelihood.RoundTrip{}, err
	}
	x := make([]float64, len(bytes))
	for j, b := range bytes {
		x[j] = float64(b)/127.5 - 1
	}
	return v.RoundTrip(ctx, x, s.source.Dim(), labels)
}

// saveLatents writes the latents, if a file was named, with the noise level that
// makes states of them.
func (s *job) saveLatents(im *images, latents []float32, sigmaMax float64) error {
	if s.density.latents == "" {
		return nil
	}
	f := &safetensors.File{
		Metadata: map[string]string{"network_sha256": s.network.metadata[hashKey], "sigma_max": decimal(sigmaMax)},
		Tensors: map[string]safetensors.Tensor{
			"latents": safetensors.ViewFloat32s(latents, im.Len(), s.source.Channels, s.source.Height, s.source.Width),
		},
	}
	err := saveFile(s.density.latents, func(w io.Writer) error { return safetensors.Write(w, f) })
	if err == nil {
		fmt.Fprintf(s.stdout, "latents %s\n", s.density.latents)
	}
	return err
}
