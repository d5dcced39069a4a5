package cpu

// gemmFunc computes a column of tiles, panels of them below each other, each
// of kernels.rows rows and a whole number of vectors of columns:
//
//	c[i*ldc+j] (+)= sum over k of a[k*rows+i] * b[off[k]+j]
//
// for the first panel, whose A is packed [len(off)][rows]; the next one starts
// aStride elements further in a and rows rows further in c. Each sum is one chain
// in the order of k; with accumulate = 1 it is then added to c, with 0 it
// replaces c.
type gemmFunc func(a, b []float32, off []int32, c []float32, ldc, panels, aStride, accumulate int)

// kernels is one implementation of the primitives. Lengths are those of the
// first slice argument; the others must be as long. Assembly checks nothing.
// An elementwise destination may be any of its inputs.
type kernels struct {
	name        string
	rows, lanes int         // tile height; floats in a vector
	gemm        [4]gemmFunc // by the number of vectors in a row of the tile, 1 to 3
	tile        [4]tileFunc // likewise
	winograd    winogradSet

	// interleave sets dst[i*dstStride+r] = src[r*stride+i] for i < n, a multiple
	// of 4, and r < 4 (interleave4) or 8.
	interleave4, interleave8 func(dst, src []float32, stride, n, dstStride int)

	axpby      func(dst, x, y []float32, a, b, c float32) // a*x + b*y + c
	affine     func(dst, x []float32, a, b float32)       // a*x + b
	affineSiLU func(dst, x []float32, a, b float32)       // silu(a*x + b)
	siluGrad   func(dst, x, g []float32)                  // g*silu'(x)
	// expAffine is e**(a*x+b), clamped to 2**-126..2**127.5, with an error of at
	// most 2 units in the last place of e to the rounded argument.
	expAffine func(dst, x []float32, a, b float32)
	mul       func(dst, x, y []float32, a float32) // a*x*y
	mulAdd    func(dst, x, y []float32)            // dst + x*y

	// repeat writes a*x with every element twice, pairSum the sums of 2x2 blocks
	// of rows x and y times a; the shorter slice is a multiple of 8 long.
	repeat  func(dst, x []float32, a float32)
	pairSum func(dst, x, y []float32, a float32)

	// weightedRows filters across rows of stride elements: the sums over j of
	// taps[j]*x[j*stride+i]; len(dst) is a multiple of 8. upsample and downsample
	// filter within a row: dst[2i] and dst[2i+1] are the sums of even[j]*x[i+j] and
	// odd[j]*x[i+j], len(dst) a multiple of 16, and dst[i] that of taps[j]*x[2i+j],
	// len(taps) even and len(dst) a multiple of 8. x holds 8 elements more.
	weightedRows func(dst, x, taps []float32, stride int)
	upsample     func(dst, x, even, odd []float32)
	downsample   func(dst, x, taps []float32)

	sum        func(x []float32) float32
	dot        func(x, y []float32) float32
	sumDev     func(x []float32, mean float32) float32 // of (x-mean)**2
	sumSquares func(x []float32) float64

	// normSums returns the sums of g and g*(r*x+s). normSumsSiLU sets dst to h =
	// g*silu'(a*x+b) and returns the sums of h and h*(r*x+s).
	normSums     func(g, x []float32, r, s float32) (h, hx float32)
	normSumsSiLU func(dst, g, x []float32, a, b, r, s float32) (h, hx float32)

	// colMax and colExpSum reduce 8 columns of a matrix with rows of stride
	// elements: the maximum, and the sum of e**(a*(x-shift[column])).
	colMax    func(dst, x []float32, rows, stride int)
	colExpSum func(dst, x, shift []float32, rows, stride int, a float32)

	// dropout sets dst to x*keep where the element's random word is at least
	// limit, else to zero. The words are those of Philox4x32-10 blocks with
	// counters (block, index0, index1, stream), four elements a block; the length
	// is a multiple of 32.
	dropout func(dst, x []float32, block, index0, index1, stream, key0, key1, limit uint32, keep float32)

	// adam advances p with G = scale*g: m = b1*m + c1*G, v = b2*v + c2*G*G,
	// p -= step*m/(root*sqrt(v) + eps), ema = p + beta*(ema-p).
	adam func(p, m, v, ema, g []float32, scale, b1, c1, b2, c2, step, root, eps, beta float32)
}
