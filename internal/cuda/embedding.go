//go:build gpu

package cuda

import (
	"math"

	"edm/internal/engine"
	"edm/internal/op"
)

// embeddingLaunch launches a kernel of a thread for each of half frequencies of n
// labels.
func embeddingLaunch(name string, n, half int, sinFirst bool, args ...any) launch {
	cos, sin := int32(0), int32(half)
	if sinFirst {
		cos, sin = sin, cos
	}
	return launch{
		module: "embedding", name: name,
		grid: [3]int{parts(n*half, 128), 1, 1}, block: [3]int{128, 1, 1},
		args: append(args, cos, sin),
	}
}

// newPositional gives the kernel the logarithm of the ratio of neighbouring
// frequencies as two float32, which have 48 bits together.
func newPositional(_ precision, s op.Positional, c engine.Call) (kernel, error) {
	n, half := c.Out[0], s.Channels/2
	steps := half
	if s.Endpoint {
		steps--
	}
	rate := 0.0 // a single frequency with Endpoint has no neighbour
	if steps > 0 {
		rate = math.Log(s.MaxPositions) / float64(steps)
	}
	high := float32(rate)
	low := float32(rate - float64(high))
	return recipe(func(o operands) []launch {
		return []launch{embeddingLaunch("positional", n, half, s.SinFirst,
			o.in[0], o.out, int32(n), int32(half), high, low)}
	}), indexable(s, n*half, "values")
}

func newFourier(_ precision, s op.Fourier, c engine.Call) (kernel, error) {
	n, half := c.Out[0], c.In[1][0]
	return recipe(func(o operands) []launch {
		return []launch{embeddingLaunch("fourier", n, half, s.SinFirst,
			o.in[0], o.in[1], o.out, int32(n), int32(half))}
	}), indexable(s, n*half, "values")
}
