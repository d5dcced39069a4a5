package sample

import (
	"context"
	"testing"
)

// BenchmarkOverhead measures what a step costs besides its network evaluations:
// one CIFAR-10 image (dim 3072) with a denoiser that does nothing. ns/eval is the
// time beside one evaluation.
func BenchmarkOverhead(b *testing.B) {
	const dim, steps = 3072, 18
	den := anyRange()
	den.denoise = func(context.Context, []float64, []float64, float64, []float32) error { return nil }
	for _, name := range Solvers() {
		for _, churns := range []bool{false, true} {
			o, label := options(name, steps), name
			if churns {
				if o, label = churned(o), name+"-churn"; o.SChurn == 0 {
					continue // the solver has none
				}
			}
			b.Run(label, func(b *testing.B) {
				s := mustNew(b, den, o)
				x := make([]float64, dim)
				batch := Batch{X: x, Dim: dim, Noise: SeedNoise([]uint64{1}, dim)}
				b.ReportAllocs()
				evaluations := 0
				for b.Loop() {
					for j := range x {
						x[j] = 1
					}
					r, err := s.Sample(context.Background(), batch)
					if err != nil {
						b.Fatal(err)
					}
					evaluations += r.NFE
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(evaluations), "ns/eval")
			})
		}
	}
}
