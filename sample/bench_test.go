package sample

import (
	"context"
	"testing"
)

// BenchmarkOverhead measures what a step costs besides its network evaluations:
// one CIFAR-10 image (dim 3072) with a denoiser that does nothing.
func BenchmarkOverhead(b *testing.B) {
	const dim, steps = 3072, 18
	den := anyRange()
	den.denoise = func(context.Context, []float64, []float64, float64, []float32) error { return nil }
	for _, name := range Solvers() {
		for _, o := range []Options{options(name, steps), churned(options(name, steps))} {
			label := name
			if o.SChurn > 0 {
				label += "-churn"
			}
			b.Run(label, func(b *testing.B) {
				s := mustNew(b, den, o)
				x := make([]float64, dim)
				batch := Batch{X: x, Dim: dim, Noise: SeedNoise([]uint64{1}, dim)}
				b.ReportAllocs()
				for b.Loop() {
					for j := range x {
						x[j] = 1
					}
					if _, err := s.Sample(context.Background(), batch); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*steps), "ns/step")
			})
		}
	}
}
