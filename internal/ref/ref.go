// Package ref defines every operation of the network as plain loops over flat
// slices, in float32 or float64. These loops are the meaning of each op: the
// gradients are proven on them and every fast kernel is compared with them.
//
// Images are NCHW. Statistics and sums over many elements accumulate in
// float64; products along channels accumulate in the element type. Output
// slices are overwritten. A function says so where an output may alias an
// input.
package ref

import "math"

// Float is the element type of a computation.
type Float interface{ float32 | float64 }

// Image is the extent of a batch of feature maps: N images of C channels of
// H x W pixels.
type Image struct{ N, C, H, W int }

// Pixels returns H*W.
func (s Image) Pixels() int { return s.H * s.W }

// Len returns the number of elements.
func (s Image) Len() int { return s.N * s.C * s.H * s.W }

// plane returns channel c of image n of x.
func plane[T Float](s Image, x []T, n, c int) []T {
	p := s.Pixels()
	at := (n*s.C + c) * p
	return x[at : at+p]
}

func exp[T Float](x T) T { return T(math.Exp(float64(x))) }

func sqrt[T Float](x T) T { return T(math.Sqrt(float64(x))) }

// sigmoid returns 1/(1+e^-x); e^-x overflows to infinity harmlessly.
func sigmoid[T Float](x T) T { return 1 / (1 + exp(-x)) }

// siluSlope returns the derivative of x sigmoid(x).
func siluSlope[T Float](x T) T {
	s := sigmoid(x)
	return s * (1 + x*(1-s))
}

// axpy adds a*x to y.
func axpy[T Float](a T, x, y []T) {
	y = y[:len(x)]
	for i, v := range x {
		y[i] += a * v
	}
}

func dot[T Float](x, y []T) T {
	y = y[:len(x)]
	var sum T
	for i, v := range x {
		sum += v * y[i]
	}
	return sum
}
