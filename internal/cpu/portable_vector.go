package cpu

import "math"

// portable returns the kernels in Go.
func portable() *kernels {
	return &kernels{
		name: "portable", rows: portableRows, lanes: portableLanes,
		gemm:        [4]gemmFunc{nil, portableGemm(1), portableGemm(2), portableGemm(3)},
		tile:        [4]tileFunc{nil, portableTile(1), portableTile(2), portableTile(3)},
		winograd:    portableWinograd(),
		interleave4: portableInterleave(4), interleave8: portableInterleave(8),
		axpby: axpbyGo, affine: affineGo, affineSiLU: affineSiLUGo,
		siluGrad: siluGradGo, expAffine: expAffineGo, mul: mulGo, mulAdd: mulAddGo,
		repeat: repeatGo, pairSum: pairSumGo,
		weightedRows: weightedRowsGo, upsample: upsampleGo, downsample: downsampleGo,
		sum: sumGo, dot: dotGo, sumDev: sumDevGo,
		sumSquares: sumSquaresGo,
		normSums:   normSumsGo, normSumsSiLU: normSumsSiLUGo,
		colMax: colMaxGo, colExpSum: colExpSumGo,
		dropout: dropoutGo, adam: adamGo,
	}
}

// The range in which exp gives a normal number.
const (
	expMin = -87.33654
	expMax = 88.37626
)

// expGo is the algorithm of the assembly: e**x = 2**n e**r with n = round(x/ln
// 2) and a minimax polynomial of degree 6 for e**r; x is clamped.
func expGo(x float32) float32 {
	if x > expMax {
		x = expMax
	} else if x < expMin {
		x = expMin
	}
	const (
		round = 3<<22 + 127 // adding it rounds to an integer, plus an exponent's bias
		high  = 0.693359375
	)
	t := x*math.Log2E + round
	n := t - round
	r := x - n*high
	r -= n * float32(math.Ln2-high)
	p := float32(0.00138145406)
	p = p*r + 0.00836874545
	p = p*r + 0.041668389
	p = p*r + 0.166665211
	p = p*r + 0.49999994
	p = p*r + 1
	p = p*r + 1
	return p * math.Float32frombits(math.Float32bits(t)<<23)
}

func sigmoidGo(x float32) float32 { return 1 / (1 + expGo(-x)) }

// siluSlopeGo is the derivative of x*sigmoid(x).
func siluSlopeGo(x float32) float32 {
	s := sigmoidGo(x)
	return s + x*(s*(1-s))
}

func axpbyGo(dst, x, y []float32, a, b, c float32) {
	x, y = x[:len(dst)], y[:len(dst)]
	for i := range dst {
		dst[i] = a*x[i] + (b*y[i] + c)
	}
}

func affineGo(dst, x []float32, a, b float32) {
	for i, v := range x[:len(dst)] {
		dst[i] = a*v + b
	}
}

func affineSiLUGo(dst, x []float32, a, b float32) {
	for i, v := range x[:len(dst)] {
		z := a*v + b
		dst[i] = z * sigmoidGo(z)
	}
}

func siluGradGo(dst, x, g []float32) {
	x, g = x[:len(dst)], g[:len(dst)]
	for i := range dst {
		dst[i] = g[i] * siluSlopeGo(x[i])
	}
}

func expAffineGo(dst, x []float32, a, b float32) {
	for i, v := range x[:len(dst)] {
		dst[i] = expGo(a*v + b)
	}
}

func mulGo(dst, x, y []float32, a float32) {
	x, y = x[:len(dst)], y[:len(dst)]
	for i := range dst {
		dst[i] = a * x[i] * y[i]
	}
}

func mulAddGo(dst, x, y []float32) {
	x, y = x[:len(dst)], y[:len(dst)]
	for i := range dst {
		dst[i] += x[i] * y[i]
	}
}

func colMaxGo(dst, x []float32, rows, stride int) {
	dst = dst[:8]
	copy(dst, x)
	for i := 1; i < rows; i++ {
		for j, v := range x[i*stride : i*stride+8] {
			if v > dst[j] {
				dst[j] = v
			}
		}
	}
}

func colExpSumGo(dst, x, shift []float32, rows, stride int, a float32) {
	dst = dst[:8]
	clear(dst)
	for i := range rows {
		for j, v := range x[i*stride : i*stride+8] {
			dst[j] += expGo((v - shift[j]) * a)
		}
	}
}

func adamGo(p, m, v, ema, g []float32, scale, b1, c1, b2, c2, step, root, eps, beta float32) {
	m, v, ema, g = m[:len(p)], v[:len(p)], ema[:len(p)], g[:len(p)]
	for i := range p {
		d := scale * g[i]
		m[i] = b1*m[i] + c1*d
		v[i] = b2*v[i] + c2*(d*d)
		p[i] -= step * m[i] / (root*float32(math.Sqrt(float64(v[i]))) + eps)
		ema[i] = p[i] + beta*(ema[i]-p[i])
	}
}
