package guide

import (
	"context"
	"errors"
	"fmt"

	"edm/sample"
)

// NewClassifierFree returns classifier-free guidance of a conditional network
// (Ho & Salimans 2022):
//
//	D_u + w (D_c - D_u)
//
// with D_c for the labels given and D_u for zero labels, which the network knows
// from label dropout in training. Weight 1 is D_c and 0 is D_u, each for one
// evaluation; any other weight takes two. Denoising without labels is an error.
func NewClassifierFree(d sample.Denoiser, o Options) (Denoiser, error) {
	if d == nil {
		return nil, errors.New("guide: classifier-free guidance: no network")
	}
	g, err := newDenoiser(d, network{zeroLabelled(d), o.Weight}, o, true)
	if err != nil {
		return nil, fmt.Errorf("guide: classifier-free guidance: %w", err)
	}
	return g, nil
}

// WithoutLabels returns d blind to labels: it is always given none. It lets an
// unconditional network serve where labels are meant for another part. Of nil it
// makes nil.
func WithoutLabels(d sample.Denoiser) sample.Denoiser {
	if d == nil {
		return nil
	}
	u := unlabelled{d}
	if r, ok := d.(sample.Rows); ok {
		return unlabelledRows{u, r}
	}
	return u
}

type unlabelled struct{ sample.Denoiser }

// Cost returns that of the network within.
func (u unlabelled) Cost(sigma float64) int { return cost(u.Denoiser, sigma) }

// Denoise implements sample.Denoiser.
func (u unlabelled) Denoise(ctx context.Context, dst, x []float64, sigma float64, _ []float32) error {
	return u.Denoiser.Denoise(ctx, dst, x, sigma, nil)
}

type unlabelledRows struct {
	unlabelled
	rows sample.Rows
}

// DenoiseRows implements sample.Rows.
func (u unlabelledRows) DenoiseRows(ctx context.Context, dst, x, sigmas []float64, _ []float32) error {
	return u.rows.DenoiseRows(ctx, dst, x, sigmas, nil)
}

// zeroLabelled returns d with zeros in place of the labels that it is given.
// Zeros say the same as none, but spare a network of one's own the case.
func zeroLabelled(d sample.Denoiser) sample.Denoiser {
	z := &zeros{Denoiser: d}
	if r, ok := d.(sample.Rows); ok {
		return &zeroRows{z, r}
	}
	return z
}

type zeros struct {
	sample.Denoiser
	labels []float32 // never written
}

// Cost returns that of the network within.
func (z *zeros) Cost(sigma float64) int { return cost(z.Denoiser, sigma) }

// Denoise implements sample.Denoiser.
func (z *zeros) Denoise(ctx context.Context, dst, x []float64, sigma float64, labels []float32) error {
	return z.Denoiser.Denoise(ctx, dst, x, sigma, grow(&z.labels, len(labels)))
}

type zeroRows struct {
	*zeros
	rows sample.Rows
}

// DenoiseRows implements sample.Rows.
func (z *zeroRows) DenoiseRows(ctx context.Context, dst, x, sigmas []float64, labels []float32) error {
	return z.rows.DenoiseRows(ctx, dst, x, sigmas, grow(&z.labels, len(labels)))
}
