package model

import (
	"context"
	"fmt"
	"math"

	"edm/model/precond"
)

// Network is a raw network F of one's own: Evaluate writes F(x; c_noise) to
// dst. x and dst are [N, Dim] row-major and do not alias, x being already
// scaled by c_in; labels are those given to Denoise.
type Network interface {
	Evaluate(ctx context.Context, dst, x []float64, cNoise float64, labels []float32) error
}

// Wrapped is a denoiser around a network of one's own. It implements
// sample.Denoiser, so every sampler runs on it.
type Wrapped struct {
	network Network
	precond precond.Preconditioning
	scaled  []float64
}

// Wrap returns D(x; sigma) = c_skip x + c_out F(c_in x; c_noise) (EDM Eq. 7) in
// float64 around f. It is for one goroutine at a time.
func Wrap(f Network, p precond.Preconditioning) (*Wrapped, error) {
	if f == nil || p == nil {
		return nil, fmt.Errorf("model: wrap: no network or no preconditioning")
	}
	return &Wrapped{network: f, precond: p}, nil
}

// SigmaRange returns the noise levels that the preconditioning supports.
func (w *Wrapped) SigmaRange() (min, max float64) { return w.precond.SigmaRange() }

// RoundSigma returns the supported noise level nearest to sigma.
func (w *Wrapped) RoundSigma(sigma float64) float64 { return w.precond.RoundSigma(sigma) }

// Denoise writes D(x; sigma) to dst; x and dst are [N, Dim].
func (w *Wrapped) Denoise(ctx context.Context, dst, x []float64, sigma float64, labels []float32) error {
	if len(dst) != len(x) {
		return fmt.Errorf("model: denoise: %d and %d elements, want equal numbers", len(dst), len(x))
	}
	if !(sigma > 0) || math.IsInf(sigma, 0) {
		return fmt.Errorf("model: denoise: sigma is %v, want a positive number", sigma)
	}
	if cap(w.scaled) < len(x) {
		w.scaled = make([]float64, len(x))
	}
	c, scaled := w.precond.Coeffs(sigma), w.scaled[:len(x)]
	for i, v := range x {
		scaled[i] = c.CIn * v
	}
	if err := w.network.Evaluate(ctx, dst, scaled, c.CNoise, labels); err != nil {
		return fmt.Errorf("model: network: %w", err)
	}
	for i, f := range dst {
		dst[i] = c.CSkip*x[i] + c.COut*f
	}
	return nil
}

// DenoiseRows is Denoise with a noise level for each image: sigmas is [N].
// Neighbours at one level are evaluated together.
func (w *Wrapped) DenoiseRows(ctx context.Context, dst, x, sigmas []float64, labels []float32) error {
	n := len(sigmas)
	if n == 0 && len(x) == 0 && len(dst) == 0 {
		return nil
	}
	if n == 0 || len(x)%n != 0 || len(dst) != len(x) || len(labels)%n != 0 {
		return fmt.Errorf("model: denoise: %d and %d elements and %d label values for %d noise levels, want equal multiples",
			len(dst), len(x), len(labels), n)
	}
	dim, classes := len(x)/n, len(labels)/n
	for from, to := 0, 0; from < n; from = to {
		for to = from + 1; to < n && sigmas[to] == sigmas[from]; to++ {
		}
		rows := labels
		if labels != nil {
			rows = labels[from*classes : to*classes]
		}
		if err := w.Denoise(ctx, dst[from*dim:to*dim], x[from*dim:to*dim], sigmas[from], rows); err != nil {
			return err
		}
	}
	return nil
}
