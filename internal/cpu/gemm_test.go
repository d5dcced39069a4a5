package cpu

import (
	"fmt"
	"testing"
	"time"
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

// BenchmarkGemm is the dense product of square matrices on one thread, as a
// rate and as a share of the multiply-adds that the registers can do, which are
// measured in alternation.
func BenchmarkGemm(b *testing.B) {
	for _, k := range implementations() {
		for _, n := range []int{64, 256, 768} {
			b.Run(fmt.Sprintf("%s/%d", k.name, n), func(b *testing.B) { benchmarkGemm(b, k, n) })
		}
	}
}

func benchmarkGemm(b *testing.B, k *kernels, n int) {
	p := &product{a: normal(1, n*n), aRow: n, aStep: 1, b: normal(2, n*n), bStep: n, c: make([]float32, n*n), ldc: n, m: n, n: n, depth: n}
	p.ahead = newFetchPlan(n, n, n, groupColumns)
	var s tileScratch
	s.take(make([]float32, tileScratchLen))
	loop, turns := fmaLoopOf(k.name), 10000
	least, peak := time.Hour, time.Hour
	for b.Loop() {
		least = min(least, best(3, func() { k.multiplyTiles(p, &s, 0, k.tiles(n).count) }))
		peak = min(peak, best(3, func() { loop.run(turns, 0.5, 0.5) }))
	}
	rate := 2 * float64(n) * float64(n) * float64(n) / least.Seconds() / 1e9
	b.ReportMetric(rate, "GFLOP/s")
	most := float64(loop.flops()*turns) / peak.Seconds() / 1e9
	b.ReportMetric(most, "peak")
	b.ReportMetric(100*rate/most, "%ofpeak")
}
