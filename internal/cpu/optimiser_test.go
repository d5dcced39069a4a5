package cpu

import (
	"math"
	"testing"

	"edm/internal/engine"
	"edm/internal/ref"
)

func TestAdam(t *testing.T) {
	u := engine.Update{LR: 0.01, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, GradScale: 0.5, EMABeta: 0.95}
	eachBackend(t, func(t *testing.T, b *Backend) {
		for _, n := range []int{1, 17, 2*optimiserChunk + 5} {
			w, m, v, ema := normal(1, n), make([]float32, n), make([]float32, n), normal(2, n)
			ww, wm, wv, we := widened(w), widened(m), widened(v), widened(ema)
			for step := range 3 {
				g := normal(uint64(3+step), n)
				u.Step = int64(step + 1)
				b.Adam(u, w, ema, m, v, g)
				ref.Adam(u, ww, we, wm, wv, widened(g))
			}
			near(t, w, ww, 1e-6)
			near(t, m, wm, 1e-6)
			near(t, v, wv, 1e-6)
			near(t, ema, we, 1e-6)
		}
	})
}

func widened(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

// TestFlatBuffers checks the sum of squares and the accumulation, and that
// neither depends on the threads.
func TestFlatBuffers(t *testing.T) {
	eachKernels(t, func(t *testing.T, k *kernels) {
		g := normal(1, 3*optimiserChunk+9)
		want := ref.SumSquares(widened(g))
		var first float64
		for _, threads := range []int{1, 2, 3, 7} {
			b := newBackend(k, threads)
			got := b.SumSquares(g)
			if math.Abs(got-want) > 1e-12*want {
				t.Errorf("sum of squares %v, want %v", got, want)
			}
			if threads > 1 && got != first {
				t.Errorf("%d threads give %v, one gives %v", threads, got, first)
			}
			first = got
			y, sum := normal(2, len(g)), normal(2, len(g))
			ref.Add(sum, sum, g)
			b.Accumulate(y, g)
			sameBits(t, "sum", y, sum)
			u := engine.Update{Step: 1, GradScale: 1}
			if n := testing.AllocsPerRun(5, func() { b.SumSquares(g); b.Accumulate(y, g); b.Adam(u, y, y, y, y, g) }); n != 0 {
				t.Errorf("%v allocations a call, want 0", n)
			}
			b.Close()
		}
	})
}

func TestSumSquaresOfNonFinite(t *testing.T) {
	eachBackend(t, func(t *testing.T, b *Backend) {
		for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			g := normal(1, optimiserChunk+9)
			g[optimiserChunk+8] = float32(bad)
			if s := b.SumSquares(g); !math.IsNaN(s) && !math.IsInf(s, 0) {
				t.Errorf("sum of squares with %v is %v", bad, s)
			}
		}
	})
}
