// Package sample turns noise into images: the time steps and the solvers of the
// EDM paper (Karras et al. 2022, Sec. 3 and 4), one file a solver.
//
// It knows a network only as a Denoiser, D(x; sigma), and integrates the
// probability-flow ODE dx = (x - D(x; sigma)) / sigma dsigma (EDM Eq. 1 and 3
// with sigma(t) = t and s(t) = 1) from pure noise at sigma_max down to an image
// at 0, with fresh noise mixed in where churn is asked for (EDM Alg. 2).
package sample

import "context"

// Denoiser is D(x; sigma), the expectation of the clean image behind x = y +
// sigma n: all that a sampler needs to know of a network.
type Denoiser interface {
	// Denoise writes D(x; sigma) to dst. x and dst are [N, Dim] row-major, of
	// equal length, and do not alias; x must not be changed and neither may be
	// kept. sigma is positive; it is inside SigmaRange except that
	// churn may pass its upper end by a factor of up to sqrt(2), as in the
	// paper's sampler. Time steps are at levels that RoundSigma returned, but the
	// inner evaluations of some solvers lie between them: a network with few
	// levels is told the nearest. labels is [N, LabelDim] row-major, or
	// nil for none. For samples to depend on their own seeds alone, each row of
	// dst must depend on nothing but its own rows of x and labels.
	Denoise(ctx context.Context, dst, x []float64, sigma float64, labels []float32) error
	// SigmaRange returns the noise levels that the network supports; max may be
	// infinite.
	SigmaRange() (min, max float64)
	// RoundSigma returns the supported noise level nearest to sigma. It is
	// monotone, and does nothing to its own results.
	RoundSigma(sigma float64) float64
}

// Rows is a Denoiser that takes a noise level for each image. The adaptive
// solvers use it where there is one; other denoisers get their images one by
// one.
type Rows interface {
	Denoiser
	// DenoiseRows is Denoise with sigmas [N].
	DenoiseRows(ctx context.Context, dst, x, sigmas []float64, labels []float32) error
}
