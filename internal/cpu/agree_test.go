package cpu

import (
	"math"
	"testing"

	"edm/internal/testkit/optest"
)

// TestPrimitivesAgree holds the vector loops of all instruction sets to equal
// bits, at lengths that end in every part of a loop. One argument is not finite.
func TestPrimitivesAgree(t *testing.T) {
	var sets []*kernels
	for _, k := range implementations() {
		if k.name != "portable" {
			sets = append(sets, k)
		}
	}
	for _, n := range append([]int{127, 128, 131, 1024}, lengths...) {
		x, y := optest.Normal(1, n), optest.Normal(2, n)
		if n > 0 {
			x[0], x[n/2], x[n-1] = 1000, float32(math.Inf(-1)), -95
			y[n/3] = -1000
		}
		var want map[string][]float32
		for _, k := range sets {
			got := vectorResults(k, x, y)
			for name, v := range want {
				optest.SameBits(t, k.name+" "+name, got[name], v)
			}
			want = got
		}
	}
}

// vectorResults runs every vector loop on x and y.
func vectorResults(k *kernels, x, y []float32) map[string][]float32 {
	n, finite := len(x), optest.Normal(3, len(x))
	dst := func(f func(d []float32)) []float32 {
		d := make([]float32, n)
		f(d)
		return d
	}
	results := map[string][]float32{
		"axpby":      dst(func(d []float32) { k.axpby(d, x, y, 0.7, -1.3, 0.1) }),
		"affine":     dst(func(d []float32) { k.affine(d, x, 0.7, 0.1) }),
		"affineSiLU": dst(func(d []float32) { k.affineSiLU(d, x, 0.7, 0.1) }),
		"siluGrad":   dst(func(d []float32) { k.siluGrad(d, x, y) }),
		"expAffine":  dst(func(d []float32) { k.expAffine(d, x, 0.7, 0.1) }),
		"mul":        dst(func(d []float32) { k.mul(d, x, y, 0.7) }),
		"mulAdd":     dst(func(d []float32) { k.mulAdd(d, x, y) }),
		"sums": {
			k.sum(y), k.dot(y, finite), k.sumDev(y, 0.3), float32(k.sumSquares(y)),
		},
	}
	h := make([]float32, n)
	a, b := k.normSumsSiLU(h, finite, y, 0.7, 0.1, 1.3, -0.2)
	c, d := k.normSums(finite, y, 1.3, -0.2)
	results["normSumsSiLU"], results["normSums"] = append(h, a, b), []float32{c, d}
	whole := n &^ 31
	results["dropout"] = dst(func(d []float32) { k.dropout(d[:whole], y, 1<<32-3, 2, 3, 4, 5, 6, 1<<30, 1.25) })
	if rows := n / 8; rows > 0 {
		results["columns"] = make([]float32, 16)
		k.colMax(results["columns"], y, rows, 8)
		k.colExpSum(results["columns"][8:], y, finite, rows, 8, 0.7)
	}
	return results
}
