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
	cos, sin := 0, half
	if s.SinFirst {
		cos, sin = half, 0
	}
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
