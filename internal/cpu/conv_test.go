package cpu

import (
	"fmt"
	"testing"

	"edm/internal/testkit/optest"
)

// convTolerance bounds the worst element of a result: F(4x4,3x3) rounds some ten
// times more coarsely than a direct sum.
const convTolerance = 5e-5

func TestConv(t *testing.T) {
	sizes := [][2]int{{1, 1}, {1, 7}, {3, 8}, {4, 4}, {7, 5}, {8, 8}, {9, 31}, {17, 3}, {16, 16}, {33, 25}}
	channels := [][2]int{{1, 1}, {3, 8}, {4, 3}, {8, 20}, {20, 4}, {7, 9}, {15, 16}, {17, 31}, {32, 33}, {55, 64}}
	eachBackend(t, func(t *testing.T, b *Backend) {
		for i, size := range sizes {
			for j := range 3 {
				ch := channels[(i+3*j)%len(channels)]
				for _, kernel := range []int{1, 3} {
					for _, n := range []int{1, 3} {
						for _, p := range optest.ConvProblems(t, n, ch[0], ch[1], size[0], size[1], kernel, j > 0) {
							t.Run(fmt.Sprintf("%T/%d/%dx%d/%d-%d/n%d", p.Spec, kernel, size[0], size[1], ch[0], ch[1], n), func(t *testing.T) {
								optest.Near(t, p.Run(t, b), p.Exact(), convTolerance)
							})
						}
					}
				}
			}
		}
	})
}

// BenchmarkTile is the micro-kernel with everything in the L1 cache: what the
// convolutions are measured against.
func BenchmarkTile(b *testing.B) {
	for _, k := range implementations() {
		for vectors := 1; vectors <= maxVectors; vectors++ {
			cols, depth := vectors*k.lanes, 256
			b.Run(fmt.Sprintf("%s/%dx%d", k.name, k.rows, cols), func(b *testing.B) {
				x, y, z := optest.Normal(1, k.rows*depth), optest.Normal(2, cols*depth), make([]float32, k.rows*cols)
				off := consecutive(depth, cols)
				for b.Loop() {
					k.gemm[vectors](x, y, off, z, cols, 1, 0, 0)
				}
				reportRate(b, 2*k.rows*cols*depth)
			})
		}
	}
}

// BenchmarkConv measures layers of the presets on one thread.
func BenchmarkConv(b *testing.B) {
	for _, k := range implementations() {
		for _, s := range [][4]int{{3, 32, 32, 16}, {3, 64, 32, 16}, {3, 128, 16, 16}, {3, 128, 8, 16}, {3, 256, 16, 4}, {3, 256, 32, 4}, {3, 512, 32, 4}, {1, 64, 32, 16}, {1, 128, 16, 16}} {
			kernel, ch, hw, n := s[0], s[1], s[2], s[3]
			for _, p := range optest.ConvProblems(b, n, ch, ch, hw, hw, kernel, true) {
				b.Run(fmt.Sprintf("%s/%T/%dx%d-%dch-%dpx-n%d", k.name, p.Spec, kernel, kernel, ch, hw, n), func(b *testing.B) {
					benchmark(b, k, p, 2*kernel*kernel*n*ch*ch*hw*hw)
				})
			}
		}
	}
}

// benchmark times one operation on one thread.
func benchmark(b *testing.B, set *kernels, p optest.Problem, flop int) {
	backend := newBackend(set, 1)
	defer backend.Close()
	k, a := p.Prepare(b, backend)
	k.Run(a) // the first run touches the memory
	for b.Loop() {
		k.Run(a)
	}
	reportRate(b, flop)
}

func reportRate(b *testing.B, flop int) {
	b.ReportMetric(float64(flop)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
}
