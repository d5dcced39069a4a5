package cpu

import (
	"testing"

	"edm/internal/testkit/optest"
)

// BenchmarkPrimitives measures the loops bound by memory on data in the L1
// cache, for every instruction set: their floor.
func BenchmarkPrimitives(b *testing.B) {
	const n = 1024
	x, y, z, u, v := optest.Normal(1, n), optest.Normal(2, n), optest.Normal(3, n), optest.Normal(4, n), optest.Normal(5, n)
	for i := range z {
		z[i] *= z[i]
	}
	for _, p := range []struct {
		name string
		run  func(k *kernels)
	}{
		{"axpby", func(k *kernels) { k.axpby(u, x, y, 1, 1, 0) }},
		{"affineSiLU", func(k *kernels) { k.affineSiLU(u, x, 0.5, 1) }},
		{"siluGrad", func(k *kernels) { k.siluGrad(u, x, y) }},
		{"expAffine", func(k *kernels) { k.expAffine(u, x, 0.5, 1) }},
		{"sum", func(k *kernels) { k.sum(x) }},
		{"sumDev", func(k *kernels) { k.sumDev(x, 0.5) }},
		{"normSumsSiLU", func(k *kernels) { k.normSumsSiLU(u, x, y, 0.5, 1, 2, 3) }},
		{"colExpSum", func(k *kernels) { k.colExpSum(u, x, y, n/8, 8, 0.5) }},
		{"dropout", func(k *kernels) { k.dropout(u, x, 1, 2, 3, 4, 5, 6, 1<<28, 1.1) }},
		{"adam", func(k *kernels) { k.adam(u, v, z, y, x, 1, 0.9, 0.1, 0.999, 0.001, 1e-9, 1, 1e-8, 0.1) }},
	} {
		for _, k := range implementations() {
			b.Run(p.name+"/"+k.name, func(b *testing.B) {
				for b.Loop() {
					p.run(k)
				}
				b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/n*1e9, "ns/element")
			})
		}
	}
}
