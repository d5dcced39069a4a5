//go:build gpu

package cuda

import (
	"testing"

	"gorgonia.org/tensor"

	"edm/internal/op"
	"edm/internal/testkit/optest"
)

// linearProblems returns a linear layer and its gradients.
func linearProblems(t *testing.T, n, in, out int) []optest.Problem {
	x, w, g := tensor.Shape{n, in}, tensor.Shape{out, in}, tensor.Shape{n, out}
	return []optest.Problem{
		optest.New(t, op.Linear{Bias: true, Scale: 0.7}, x, w, tensor.Shape{out}),
		optest.New(t, op.Linear{Scale: 1}, x, w),
		optest.New(t, op.LinearData{Scale: 0.7}, g, w),
		optest.New(t, op.LinearWeights{Scale: 0.7}, x, g),
	}
}

// linearSizes cross the borders of tiles and of groups of terms.
func linearSizes() [][3]int {
	return [][3]int{{1, 1, 1}, {2, 3, 8}, {31, 16, 33}, {32, 32, 32}, {33, 65, 31}, {3, 130, 100}, {70, 20, 3}}
}

// TestLinear: products of factors that a precision holds are exact but for the
// rounding of sums; other factors are rounded to nearest.
func TestLinear(t *testing.T) {
	b := newTable(t)
	everyPrecision(t, func(t *testing.T, p precision) {
		for _, s := range linearSizes() {
			for _, q := range linearProblems(t, s[0], s[1], s[2]) {
				t.Run(describe(q), func(t *testing.T) {
					k := prepared(t, target{precision: p}, q)
					optest.Near(t, b.compute(t, k, q, 0), q.Exact(), loosely(p))
					q := exactly(p, q)
					optest.Near(t, b.compute(t, k, q, 0), q.Exact(), summed(p, q))
				})
			}
		}
	})
}

// TestLinearBits: results have the same bits for a row alone, where nothing is
// aligned, and a second time.
func TestLinearBits(t *testing.T) {
	const batch = 33
	b := newTable(t)
	everyPrecision(t, func(t *testing.T, p precision) {
		for i, q := range linearProblems(t, batch, 40, 50) {
			k := prepared(t, target{precision: p}, q)
			want := b.compute(t, k, q, 0)
			optest.SameBits(t, describe(q)+" again", b.compute(t, k, q, 0), want)
			optest.SameBits(t, describe(q)+" not aligned", b.compute(t, k, q, 1), want)
			if i == 3 {
				continue
			}
			for _, n := range []int{0, 32} {
				one := q.One(t, n, batch)
				size := len(want) / batch
				optest.SameBits(t, describe(one)+" alone", b.compute(t, prepared(t, target{precision: p}, one), one, 0), want[n*size:(n+1)*size])
			}
		}
	})
}
