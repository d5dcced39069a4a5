package cpu

import (
	"math"
	"slices"
	"strings"
	"testing"
)

func TestAdam(t *testing.T) {
	s := AdamStep{LR: 0.01, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, GradScale: 0.5, EMABeta: 0.95}
	eachBackend(t, func(t *testing.T, b *Backend) {
		for _, n := range []int{1, 17, 2*optimiserChunk + 5} {
			o := b.NewOptimiser(n)
			p, m, v, ema := normal(1, n), make([]float32, n), make([]float32, n), normal(2, n)
			wp, wm, wv, we := widened(p), widened(m), widened(v), widened(ema)
			for step := range 3 {
				g := normal(uint64(3+step), n)
				s.Step = int64(step + 1)
				if err := o.Adam(p, m, v, ema, g, s); err != nil {
					t.Fatal(err)
				}
				for i := range g {
					adamReference(&wp[i], &wm[i], &wv[i], &we[i], float64(g[i]), s)
				}
			}
			near(t, p, wp, 1e-6)
			near(t, m, wm, 1e-6)
			near(t, v, wv, 1e-6)
			near(t, ema, we, 1e-6)
		}
	})
}

func adamReference(p, m, v, ema *float64, g float64, s AdamStep) {
	g *= s.GradScale
	t := float64(s.Step)
	*m = s.Beta1**m + (1-s.Beta1)*g
	*v = s.Beta2**v + (1-s.Beta2)*g*g
	*p -= s.LR * (*m / (1 - math.Pow(s.Beta1, t))) / (math.Sqrt(*v/(1-math.Pow(s.Beta2, t))) + s.Eps)
	*ema = *p + s.EMABeta*(*ema-*p)
}

func widened(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

func TestAdamRejectsBadInput(t *testing.T) {
	b := New(1)
	defer b.Close()
	x := make([]float32, 4)
	o := b.NewOptimiser(4)
	err := o.Adam(x, x, x, x, x, AdamStep{Beta1: 1, Beta2: math.NaN()})
	if err == nil || !strings.Contains(err.Error(), "Beta1") || !strings.Contains(err.Error(), "Beta2") || !strings.Contains(err.Error(), "Step") {
		t.Errorf("got %v, want an error that names Beta1, Beta2 and Step", err)
	}
	if err := o.Adam(x, x, x, x, x[:3], AdamStep{Step: 1}); err == nil {
		t.Error("a gradient of 3 elements for 4 parameters was accepted")
	}
}

func TestGradientNorm(t *testing.T) {
	eachKernels(t, func(t *testing.T, k *kernels) {
		g := normal(1, 3*optimiserChunk+9)
		var want float64
		for _, v := range g {
			want += float64(v) * float64(v)
		}
		var first float64
		for _, threads := range []int{1, 2, 3, 7} {
			b := newBackend(k, threads)
			o := b.NewOptimiser(len(g))
			got := o.SumSquares(g)
			if math.Abs(got-want) > 1e-12*want {
				t.Errorf("sum of squares %v, want %v", got, want)
			}
			if threads > 1 && got != first {
				t.Errorf("%d threads give %v, one gives %v", threads, got, first)
			}
			first = got
			if o.NonFinite(g) {
				t.Error("finite gradient taken for non-finite")
			}
			bad := slices.Clone(g)
			bad[len(bad)-1] = float32(math.NaN())
			if !o.NonFinite(bad) {
				t.Error("NaN not found")
			}
			if n := testing.AllocsPerRun(5, func() { o.SumSquares(g); o.NonFinite(g) }); n != 0 {
				t.Errorf("%v allocations a call, want 0", n)
			}
			b.Close()
		}
	})
}
