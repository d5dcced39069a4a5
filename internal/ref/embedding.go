package ref

import "math"

// Positional is the sinusoidal embedding of a scalar (DDPM, after the
// Transformer): C/2 frequencies MaxPositions^(-i/(C/2)), or /(C/2-1) with
// Endpoint; cosines first, or sines first with SinFirst.
type Positional struct {
	C                  int
	MaxPositions       float64
	Endpoint, SinFirst bool
}

// PositionalEmbedding writes the embedding of t [n] to y [n,C].
func PositionalEmbedding[T Float](s Positional, y, t []T) {
	half := s.C / 2
	last := float64(half)
	if s.Endpoint {
		last--
	}
	cos, sin := halves(half, s.SinFirst)
	for n, v := range t {
		row := y[n*s.C : (n+1)*s.C]
		for i := range half {
			// A single frequency with Endpoint has no step: its exponent is 0.
			f := 1.0
			if last > 0 {
				f = math.Pow(s.MaxPositions, -float64(i)/last)
			}
			si, co := math.Sincos(float64(v) * f)
			row[cos+i], row[sin+i] = T(co), T(si)
		}
	}
}

// FourierEmbedding writes the cosines and sines of 2 pi freqs[k] t[n] to y
// [n,2K], cosines first, or sines first. Angles are products in the element
// type: the frequencies are large, so a published network means these very
// roundings.
func FourierEmbedding[T Float](sinFirst bool, y, t, freqs []T) {
	half := len(freqs)
	cos, sin := halves(half, sinFirst)
	for n, v := range t {
		row := y[2*n*half : 2*(n+1)*half]
		for k, f := range freqs {
			turn := T(2*math.Pi) * f
			si, co := math.Sincos(float64(v * turn))
			row[cos+k], row[sin+k] = T(co), T(si)
		}
	}
}

// halves returns where the cosines and the sines of a row begin.
func halves(half int, sinFirst bool) (cos, sin int) {
	if sinFirst {
		return half, 0
	}
	return 0, half
}
