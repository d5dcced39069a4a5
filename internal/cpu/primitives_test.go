package cpu

import (
	"math"
	"testing"

	"edm/internal/testkit/optest"
)

// lengths cross every boundary of the vector loops: single vectors, unrolled
// turns and masked tails.
var lengths = []int{0, 1, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 39, 63, 64, 65, 103}

func TestExpWithin2ULP(t *testing.T) {
	eachKernels(t, func(t *testing.T, k *kernels) {
		const n = 1 << 16
		x, y := make([]float32, n), make([]float32, n)
		for i := range x {
			x[i] = expMin + (expMax-expMin)*float32(i)/n
		}
		k.expAffine(y, x, 1, 0)
		worst := 0.0
		for i := range x {
			want := math.Exp(float64(x[i]))
			ulp := math.Abs(float64(y[i])-want) / (math.Nextafter(want, math.Inf(1)) - want) / (1 << 29)
			worst = max(worst, ulp)
		}
		if worst > 2 {
			t.Errorf("error of %.2f units in the last place, want at most 2", worst)
		}
		t.Logf("worst error %.2f units in the last place", worst)
	})
}

func TestExpOutsideItsRange(t *testing.T) {
	eachKernels(t, func(t *testing.T, k *kernels) {
		inf, y := float32(math.Inf(1)), make([]float32, 5)
		k.expAffine(y, []float32{-inf, -1000, 1000, inf, float32(math.NaN())}, 1, 0)
		for i, limit := range []float64{math.Exp(expMin), math.Exp(expMin), math.Exp(expMax), math.Exp(expMax)} {
			if math.Abs(float64(y[i])/limit-1) > 1e-5 {
				t.Errorf("value %d is %v, want %v", i, y[i], limit)
			}
		}
		if !math.IsNaN(float64(y[4])) {
			t.Errorf("e**NaN is %v", y[4])
		}
	})
}

func TestSiLUOfGreatArguments(t *testing.T) {
	eachKernels(t, func(t *testing.T, k *kernels) {
		y := make([]float32, 4)
		k.affineSiLU(y, []float32{-1000, -100, 100, 1000}, 1, 0)
		optest.Near(t, y[2:], []float64{100, 1000}, 1e-7)
		if math.Abs(float64(y[0]))+math.Abs(float64(y[1])) > 1e-30 {
			t.Errorf("silu(-1000), silu(-100) = %v", y[:2])
		}
	})
}

// guarded returns a slice of n elements inside a longer one, and a check that
// nothing around it was written.
func guarded(t *testing.T, n int) ([]float32, func()) {
	all := make([]float32, n+32)
	for i := range all {
		all[i] = 7
	}
	return all[16 : 16+n], func() {
		t.Helper()
		for i, v := range all {
			if (i < 16 || i >= 16+n) && v != 7 {
				t.Fatalf("length %d: element %d outside the slice was written", n, i-16)
			}
		}
	}
}

func TestMaps(t *testing.T) {
	silu := func(z float64) float64 { return z / (1 + math.Exp(-z)) }
	slope := func(z float64) float64 { s := 1 / (1 + math.Exp(-z)); return s * (1 + z*(1-s)) }
	maps := []struct {
		name string
		run  func(k *kernels, dst, x, y []float32)
		want func(x, y float64) float64
	}{
		{"axpby", func(k *kernels, d, x, y []float32) { k.axpby(d, x, y, 0.5, -2, 0.25) }, func(x, y float64) float64 { return 0.5*x - 2*y + 0.25 }},
		{"affine", func(k *kernels, d, x, _ []float32) { k.affine(d, x, 0.5, -2) }, func(x, _ float64) float64 { return 0.5*x - 2 }},
		{"affineSiLU", func(k *kernels, d, x, _ []float32) { k.affineSiLU(d, x, 0.5, -2) }, func(x, _ float64) float64 { return silu(0.5*x - 2) }},
		{"siluGrad", func(k *kernels, d, x, y []float32) { k.siluGrad(d, x, y) }, func(x, y float64) float64 { return y * slope(x) }},
		{"expAffine", func(k *kernels, d, x, _ []float32) { k.expAffine(d, x, 0.5, -2) }, func(x, _ float64) float64 { return math.Exp(0.5*x - 2) }},
		{"mul", func(k *kernels, d, x, y []float32) { k.mul(d, x, y, 0.5) }, func(x, y float64) float64 { return 0.5 * x * y }},
		{"mulAdd", func(k *kernels, d, x, y []float32) { clear(d); k.mulAdd(d, x, y) }, func(x, y float64) float64 { return x * y }},
		{"normSumsSiLU", func(k *kernels, d, x, y []float32) { k.normSumsSiLU(d, x, y, 1.5, -1, 0.5, 2) }, func(g, x float64) float64 { return g * slope(1.5*x-1) }},
	}
	eachKernels(t, func(t *testing.T, k *kernels) {
		for _, m := range maps {
			t.Run(m.name, func(t *testing.T) {
				for _, n := range lengths {
					x, y := optest.Normal(1, n), optest.Normal(2, n)
					want := make([]float64, n)
					for i := range want {
						want[i] = m.want(float64(x[i]), float64(y[i]))
					}
					dst, check := guarded(t, n)
					m.run(k, dst, x, y)
					optest.Near(t, dst, want, 1e-6)
					check()
				}
			})
		}
	})
}

func TestReductions(t *testing.T) {
	slope := func(z float64) float64 { s := 1 / (1 + math.Exp(-z)); return s * (1 + z*(1-s)) }
	eachKernels(t, func(t *testing.T, k *kernels) {
		for _, n := range lengths {
			x, y := optest.Normal(1, n), optest.Normal(2, n)
			var sum, dot, dev, squares, h, hx, size float64
			for i := range x {
				a, b := float64(x[i]), float64(y[i])
				sum += a
				dot += a * b
				dev += (a - 0.5) * (a - 0.5)
				squares += a * a
				g := a * slope(1.5*b-1)
				h += g
				hx += g * (0.5*b + 2)
				size += 4 + math.Abs(a*b) + a*a
			}
			gh, ghx := k.normSumsSiLU(make([]float32, n), x, y, 1.5, -1, 0.5, 2)
			ph, phx := k.normSums(x, y, 0.5, 2)
			for name, pair := range map[string][2]float64{
				"sum": {float64(k.sum(x)), sum}, "dot": {float64(k.dot(x, y)), dot},
				"sumDev": {float64(k.sumDev(x, 0.5)), dev}, "sumSquares": {k.sumSquares(x), squares},
				"normSumsSiLU": {float64(gh), h}, "normSumsSiLU, second": {float64(ghx), hx},
				"normSums": {float64(ph), sum}, "normSums, second": {float64(phx), 0.5*dot + 2*sum},
			} {
				if math.Abs(pair[0]-pair[1]) > 3e-7*size {
					t.Errorf("%s of %d elements is %v, want %v", name, n, pair[0], pair[1])
				}
			}
		}
	})
}

func TestColumns(t *testing.T) {
	eachKernels(t, func(t *testing.T, k *kernels) {
		for _, rows := range []int{1, 2, 5, 33} {
			const stride = 24
			x := optest.Normal(4, rows*stride)
			most, sum := make([]float32, 8), make([]float32, 8)
			k.colMax(most, x[8:], rows, stride)
			k.colExpSum(sum, x[8:], most, rows, stride, 0.5)
			for j := range 8 {
				greatest, want := math.Inf(-1), 0.0
				for i := range rows {
					greatest = max(greatest, float64(x[8+i*stride+j]))
				}
				for i := range rows {
					want += math.Exp(0.5 * (float64(x[8+i*stride+j]) - greatest))
				}
				if float64(most[j]) != greatest || math.Abs(float64(sum[j])-want) > 1e-6*want {
					t.Errorf("%d rows, column %d: %v and %v, want %v and %v", rows, j, most[j], sum[j], greatest, want)
				}
			}
		}
	})
}

func TestInterleave(t *testing.T) {
	eachKernels(t, func(t *testing.T, k *kernels) {
		for _, width := range []int{4, 8, 16} {
			for _, valid := range []int{1, width - 1, width} {
				for _, n := range []int{1, 3, 4, 5, 8, 19} {
					const stride, dstStride = 20, 17
					src := optest.Normal(5, width*stride)
					dst, check := guarded(t, (n-1)*dstStride+width)
					k.interleave(dst, src, valid, width, stride, n, dstStride)
					for i := range n {
						for r := range width {
							want := float32(0)
							if r < valid {
								want = src[r*stride+i]
							}
							if dst[i*dstStride+r] != want {
								t.Fatalf("width %d, valid %d, n %d: group %d, element %d is %v, want %v", width, valid, n, i, r, dst[i*dstStride+r], want)
							}
						}
					}
					check()
				}
			}
		}
	})
}

func TestMultiply(t *testing.T) {
	eachKernels(t, func(t *testing.T, k *kernels) {
		for _, m := range []int{1, k.rows - 1, k.rows, k.rows + 1, 3*k.rows + 7} {
			for _, cols := range []int{1, k.lanes - 1, k.lanes, k.lanes + 1, 2 * k.lanes, 3*k.lanes - 5, 3 * k.lanes} {
				for _, depth := range []int{1, 2, 3, 4, 5, 8, 21} {
					checkMultiply(t, k, m, cols, depth)
				}
			}
		}
	})
}

func checkMultiply(t *testing.T, k *kernels, m, cols, depth int) {
	t.Helper()
	const ldc, bStride = 60, 53
	a, b := optest.Normal(6, m*depth), optest.Normal(7, depth*bStride)
	panels := make([]float32, roundUp(m, k.rows)*depth)
	for i := range m {
		for j := range depth {
			panels[(i/k.rows*depth+j)*k.rows+i%k.rows] = a[i*depth+j]
		}
	}
	off := consecutive(depth, bStride)
	for i, j := 0, depth-1; i < j; i, j = i+1, j-1 { // any order of rows
		off[i], off[j] = off[j], off[i]
	}
	c, check := guarded(t, (m-1)*ldc+cols)
	want := make([]float64, len(c))
	for i := range want {
		want[i] = 7
	}
	for _, accumulate := range []bool{false, true} {
		k.multiply(panels, b, off, c, ldc, m, cols, depth*k.rows, accumulate, make([]float32, maxTile))
		for i := range m {
			for j := range cols {
				var sum float64
				for d := range depth {
					sum += float64(a[i*depth+d]) * float64(b[int(off[d])+j])
				}
				if accumulate {
					sum += want[i*ldc+j]
				}
				want[i*ldc+j] = sum
			}
		}
	}
	optest.Near(t, c, want, 1e-6)
	check()
}
