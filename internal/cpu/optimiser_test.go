package cpu

import (
	"errors"
	"math"
	"testing"

	"edm/internal/engine"
	"edm/internal/ref"
	"edm/internal/testkit/optest"
)

func TestAdam(t *testing.T) {
	u := engine.Update{LR: 0.01, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, GradScale: 0.5, EMABeta: 0.95}
	eachBackend(t, func(t *testing.T, b *Backend) {
		for _, n := range []int{1, 17, 2*optimiserChunk + 5} {
			w, m, v, ema := optest.Normal(1, n), make([]float32, n), make([]float32, n), optest.Normal(2, n)
			ww, wm, wv, we := optest.Widened(w), optest.Widened(m), optest.Widened(v), optest.Widened(ema)
			for step := range 3 {
				g := optest.Normal(uint64(3+step), n)
				u.Step = int64(step + 1)
				if err := b.Adam(u, w, ema, m, v, g); err != nil {
					t.Fatal(err)
				}
				ref.Adam(u, ww, we, wm, wv, optest.Widened(g))
			}
			optest.Near(t, w, ww, 1e-6)
			optest.Near(t, m, wm, 1e-6)
			optest.Near(t, v, wv, 1e-6)
			optest.Near(t, ema, we, 1e-6)
		}
	})
}

// TestFlatBuffers checks the sum of squares and the accumulation, and that
// neither depends on the threads.
func TestFlatBuffers(t *testing.T) {
	eachKernels(t, func(t *testing.T, k *kernels) {
		g := optest.Normal(1, 3*optimiserChunk+9)
		want := ref.SumSquares(optest.Widened(g))
		var first float64
		for _, threads := range []int{1, 2, 3, 7} {
			b := newBackend(k, threads)
			got, err := b.SumSquares(g)
			if err != nil {
				t.Fatal(err)
			}
			if math.Abs(got-want) > 1e-12*want {
				t.Errorf("sum of squares %v, want %v", got, want)
			}
			if threads > 1 && got != first {
				t.Errorf("%d threads give %v, one gives %v", threads, got, first)
			}
			first = got
			y, sum := optest.Normal(2, len(g)), optest.Normal(2, len(g))
			ref.Add(sum, sum, g)
			if err := b.Accumulate(y, g); err != nil {
				t.Fatal(err)
			}
			optest.SameBits(t, "sum", y, sum)
			u := engine.Update{Step: 1, GradScale: 1}
			pass := func() {
				_, err := b.SumSquares(g)
				if err = errors.Join(err, b.Accumulate(y, g), b.Adam(u, y, y, y, y, g)); err != nil {
					t.Fatal(err)
				}
			}
			if n := testing.AllocsPerRun(5, pass); n != 0 {
				t.Errorf("%v allocations a call, want 0", n)
			}
			b.Close()
		}
	})
}

func TestSumSquaresOfNonFinite(t *testing.T) {
	eachBackend(t, func(t *testing.T, b *Backend) {
		for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			g := optest.Normal(1, optimiserChunk+9)
			g[optimiserChunk+8] = float32(bad)
			if s, err := b.SumSquares(g); err != nil || !math.IsNaN(s) && !math.IsInf(s, 0) {
				t.Errorf("sum of squares with %v is %v", bad, s)
			}
		}
	})
}
