package main

import (
	"context"
	"errors"
	"fmt"
	"math"

	"edm/data"
	"edm/internal/cli"
	"edm/sample/likelihood"
)

// measure reports the likelihood of a dataset.
func (s *job) measure(ctx context.Context) (err error) {
	d, ok := s.source.Denoiser.(likelihood.Differentiable)
	if !ok {
		return errors.New("--likelihood: the network has no derivative")
	}
	e, err := likelihood.New(d, s.density.options)
	if err != nil {
		return cli.Usagef("--likelihood: %w", err)
	}
	im, err := s.openImages()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, data.Close(im.Dataset)) }()
	s.announceWay(im, e.NFE(s.source.Dim()), e.Notes())
	var bits []float64
	for at := 0; at < im.Len(); at += s.batch {
		end := min(at+s.batch, im.Len())
		some, err := s.bitsOf(ctx, e, im, at, end)
		if err != nil {
			return interrupted(ctx, fmt.Errorf("--likelihood: images %d to %d: %w", at, end-1, err))
		}
		bits = append(bits, some...)
		fmt.Fprintf(s.stdout, "%d/%d images\n", end, im.Len())
	}
	mean, stdErr := likelihood.Mean(bits)
	fmt.Fprintf(s.stdout, "%.4f bits/dim", mean)
	if !math.IsNaN(stdErr) {
		fmt.Fprintf(s.stdout, ", standard error %.4f over the images", stdErr)
	}
	fmt.Fprintf(s.stdout, "\nof 8-bit images made continuous by uniform noise one level wide; the offset log2(127.5) = %.4f bits/dim is included\n",
		likelihood.BitsPerDim(0, 1))
	return nil
}

// bitsOf returns the bits/dim of some images.
func (s *job) bitsOf(ctx context.Context, e *likelihood.Estimator, im *images, at, end int) ([]float64, error) {
	bytes, classes, err := im.batch(at, end)
	if err != nil {
		return nil, err
	}
	b := likelihood.Batch{X: make([]float64, len(bytes)), Dim: s.source.Dim()}
	if b.Labels, err = s.source.Labels(end-at, classes); err != nil {
		return nil, err
	}
	for i := range end - at { // an image's noise is a function of its number
		b.Seeds = append(b.Seeds, uint64(at+i))
		row := bytes[i*b.Dim : (i+1)*b.Dim]
		if err := likelihood.Dequantize(b.X[i*b.Dim:(i+1)*b.Dim], row, b.Seeds[i]); err != nil {
			return nil, err
		}
	}
	r, err := e.Estimate(ctx, b)
	return r.BitsPerDim, err
}
