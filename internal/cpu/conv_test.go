package cpu

import (
	"fmt"
	"testing"

	"gorgonia.org/tensor"

	"edm/internal/op"
)

// convProblems are the three products of one convolution.
func convProblems(t testing.TB, n, cin, cout, h, w, kernel int, epilogue bool) []problem {
	x, wt := tensor.Shape{n, cin, h, w}, tensor.Shape{cout, cin, kernel, kernel}
	g := tensor.Shape{n, cout, h, w}
	forward := newProblem(t, op.Conv2D{Kernel: kernel, Scale: 1}, x, wt)
	if epilogue {
		forward = newProblem(t, op.Conv2D{Kernel: kernel, Bias: true, SampleBias: true, Residual: true, Scale: 0.7}, x, wt,
			tensor.Shape{cout}, tensor.Shape{n, cout}, g)
	}
	return []problem{
		forward,
		newProblem(t, op.Conv2DData{Kernel: kernel, Scale: 0.7}, g, wt),
		newProblem(t, op.Conv2DWeights{Kernel: kernel, Scale: 0.7}, x, g),
	}
}

func TestConv(t *testing.T) {
	sizes := [][2]int{{1, 1}, {1, 7}, {3, 8}, {4, 4}, {7, 5}, {8, 8}, {9, 31}, {17, 3}, {16, 16}, {33, 25}}
	channels := [][2]int{{1, 1}, {3, 8}, {4, 3}, {8, 20}, {20, 4}, {7, 9}, {15, 16}, {17, 31}, {32, 33}, {55, 64}}
	eachBackend(t, func(t *testing.T, b *Backend) {
		for i, size := range sizes {
			for j := range 3 {
				ch := channels[(i+3*j)%len(channels)]
				for _, kernel := range []int{1, 3} {
					for _, n := range []int{1, 3} {
						for _, p := range convProblems(t, n, ch[0], ch[1], size[0], size[1], kernel, j > 0) {
							t.Run(fmt.Sprintf("%T/%d/%dx%d/%d-%d/n%d", p.Spec, kernel, size[0], size[1], ch[0], ch[1], n), func(t *testing.T) {
								near(t, p.run(t, b), p.exact(), 2e-6)
							})
						}
					}
				}
			}
		}
	})
}

func BenchmarkConv(b *testing.B) {
	for _, k := range implementations()[:2] {
		for _, s := range [][3]int{{32, 32, 16}, {64, 32, 16}, {128, 16, 16}, {128, 8, 16}, {256, 16, 4}} {
			ch, hw, n := s[0], s[1], s[2]
			for _, p := range convProblems(b, n, ch, ch, hw, hw, 3, true) {
				b.Run(fmt.Sprintf("%s/%T/%dch-%dpx-n%d", k.name, p.Spec, ch, hw, n), func(b *testing.B) {
					be := newBackend(k, 0)
					defer be.Close()
					k, a := p.prepare(b, be)
					k.Run(a)
					for b.Loop() {
						k.Run(a)
					}
					flop := 18 * float64(n*ch*ch*hw*hw)
					b.ReportMetric(flop*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
					b.ReportMetric(0, "ns/op")
				})
			}
		}
	}
}
