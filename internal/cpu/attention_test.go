package cpu

import (
	"fmt"
	"testing"

	"gorgonia.org/tensor"

	"edm/internal/op"
	"edm/internal/testkit/optest"
)

// TestAttentionBlocks crosses the blocks of queries of the forward and of the
// backward pass, with few images, whose heads threads share, and with many.
func TestAttentionBlocks(t *testing.T) {
	eachBackend(t, func(t *testing.T, b *Backend) {
		for _, pixels := range []int{1, 15, 47, 48, 49, gradColumns, gradColumns + 1, 3*gradColumns + 7} {
			for _, s := range [][3]int{{1, 4, 1}, {5, 4, 1}, {1, 260, 2}} { // images, channels, heads
				for _, c := range optest.HeadCases(t, s[0], s[1], 1, pixels, s[2]) {
					t.Run(fmt.Sprintf("%v/%d", c, s[2]), func(t *testing.T) { optest.Near(t, c.Run(t, b), c.Exact(), c.Tolerance) })
				}
			}
		}
	})
}

// TestAttentionAgrees is TestConv1x1Agrees for attention.
func TestAttentionAgrees(t *testing.T) {
	for _, n := range []int{1, 5} {
		for _, c := range optest.HeadCases(t, n, 36, 1, 3*gradColumns+7, 1) {
			var want []float32
			for _, k := range implementations() {
				if k.name == "portable" {
					continue
				}
				for _, threads := range []int{1, 2, 5} {
					b := newBackend(k, threads)
					got := c.Run(t, b)
					if want != nil {
						optest.SameBits(t, fmt.Sprintf("%v %s %d threads", c, k.name, threads), got, want)
					}
					want = got
					b.Close()
				}
			}
		}
	}
}

// TestLinearBlocks crosses the tiles of images and features of linear layers.
func TestLinearBlocks(t *testing.T) {
	eachBackend(t, func(t *testing.T, b *Backend) {
		for _, n := range []int{1, 3, 16, 49, 97} {
			for _, s := range [][2]int{{1, 1}, {3, 8}, {20, 33}, {stepsL1 + 1, 7}, {7, stepsL1 + 1}, {300, 67}} {
				x, y, w := tensor.Shape{n, s[0]}, tensor.Shape{n, s[1]}, tensor.Shape{s[1], s[0]}
				for _, p := range []optest.Problem{
					optest.New(t, op.Linear{Scale: 0.7}, x, w),
					optest.New(t, op.Linear{Scale: 0.7, Bias: true}, x, w, tensor.Shape{s[1]}),
					optest.New(t, op.LinearData{Scale: 0.7}, y, w),
					optest.New(t, op.LinearWeights{Scale: 0.7}, x, y),
				} {
					t.Run(fmt.Sprintf("%#v/%d/%v", p.Spec, n, s), func(t *testing.T) { optest.Near(t, p.Run(t, b), p.Exact(), 3e-6) })
				}
			}
		}
	})
}
