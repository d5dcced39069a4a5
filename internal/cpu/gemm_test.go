package cpu

import (
	"fmt"
	"testing"
	"time"

	"edm/internal/testkit/optest"
)

// best returns the least time that f took in the given number of calls.
func best(rounds int, f func()) time.Duration {
	least := time.Hour
	for range rounds {
		start := time.Now()
		f()
		least = min(least, time.Since(start))
	}
	return least
}

// BenchmarkGemm is the dense product of square matrices on one thread: its rate
// and its share of the multiply-adds that the registers can do, both at their
// fastest, measured in alternation. bench/gemm.py compares it with other
// libraries.
func BenchmarkGemm(b *testing.B) {
	for _, k := range implementations() {
		for _, n := range []int{64, 256, 768} {
			b.Run(fmt.Sprintf("%s/%d", k.name, n), func(b *testing.B) { benchmarkGemm(b, k, n) })
		}
	}
}

func benchmarkGemm(b *testing.B, k *kernels, n int) {
	p := &product{
		a: optest.Normal(1, n*n), aRow: n, aStep: 1, b: optest.Normal(2, n*n), bStep: n, c: make([]float32, n*n), ldc: n,
		m: n, n: n, depth: n,
	}
	p.ahead = newFetchPlan(p)
	var s tileScratch
	s.take(make([]float32, tileScratchLen))
	loop := fmaLoopOf(k.name)
	turns := loop.turns(time.Millisecond)
	least, peak := time.Hour, time.Hour
	for b.Loop() {
		least = min(least, best(3, func() { k.multiplyAll(p, &s) }))
		peak = min(peak, loop.time(1, turns))
	}
	rate := 2 * float64(n) * float64(n) * float64(n) / least.Seconds() / 1e9
	most := float64(loop.flops()*turns) / peak.Seconds() / 1e9
	b.ReportMetric(rate, "GFLOP/s")
	b.ReportMetric(most, "peak-GFLOP/s")
	b.ReportMetric(100*rate/most, "%-of-peak")
}

// consecutive returns the offsets of n rows of stride elements.
func consecutive(n, stride int) []int32 {
	off := make([]int32, n)
	for i := range off {
		off[i] = int32(i * stride)
	}
	return off
}
