package cpu

import (
	"fmt"
	"testing"

	"gorgonia.org/tensor"

	"edm/internal/op"
	"edm/internal/testkit/optest"
)

// conv1x1Cases cross the blocks of pixels, groups of columns, blocks of
// channels, segments and parts of 1x1 convolutions.
var conv1x1Cases = [][5]int{ // images, channels in and out, height, width
	{3, 8, 20, 1, pixelBlock - 1},
	{2, 20, 8, 1, pixelBlock + 1},
	{1, 5, 3, 3, pixelBlock + 7},
	{1, 3, stepsL1 + 2, 5, 5},
	{2, 2*stepsL1 + 3, 9, 16, 16},
	{19, 17, 33, 4, 4},
	{1, 31, 2*leastRows + 3, 1, groupColumns + 1},
	{2, 130, 131, 12, 23},
	{1, 600, 520, 3, 1}, // sums of one segment are more than segmentSums
}

func TestConv1x1(t *testing.T) {
	eachBackend(t, func(t *testing.T, b *Backend) {
		for _, c := range conv1x1Cases {
			for _, epilogue := range []bool{false, true} {
				for _, p := range optest.ConvProblems(t, c[0], c[1], c[2], c[3], c[4], 1, epilogue) {
					t.Run(fmt.Sprintf("%T/%v/%v", p.Spec, c, epilogue), func(t *testing.T) {
						optest.Near(t, p.Run(t, b), p.Exact(), 3e-6)
					})
				}
			}
		}
	})
}

// TestConv1x1Terms runs every combination of the terms that are added.
func TestConv1x1Terms(t *testing.T) {
	const n, cin, cout, h, w = 2, 5, 11, 3, 17
	y := tensor.Shape{n, cout, h, w}
	eachBackend(t, func(t *testing.T, b *Backend) {
		for i := range 8 {
			s := op.Conv2D{Kernel: 1, Bias: i&1 != 0, SampleBias: i&2 != 0, Residual: i&4 != 0, Scale: 1}
			in := []tensor.Shape{{n, cin, h, w}, {cout, cin, 1, 1}}
			for _, term := range []struct {
				on    bool
				shape tensor.Shape
			}{{s.Bias, tensor.Shape{cout}}, {s.SampleBias, tensor.Shape{n, cout}}, {s.Residual, y}} {
				if term.on {
					in = append(in, term.shape)
				}
			}
			p := optest.New(t, s, in...)
			t.Run(fmt.Sprintf("%+v", s), func(t *testing.T) { optest.Near(t, p.Run(t, b), p.Exact(), 3e-6) })
		}
	})
}

// TestConv1x1Agrees holds the sets of instructions to equal bits and the number
// of threads to no effect.
func TestConv1x1Agrees(t *testing.T) {
	for _, c := range conv1x1Cases {
		for _, p := range optest.ConvProblems(t, c[0], c[1], c[2], c[3], c[4], 1, true) {
			var want []float32
			for _, k := range implementations() {
				if k.name == "portable" {
					continue
				}
				for _, threads := range []int{1, 3} {
					b := newBackend(k, threads)
					got := p.Run(t, b)
					if want != nil {
						optest.SameBits(t, fmt.Sprintf("%T %v %s %d threads", p.Spec, c, k.name, threads), got, want)
					}
					want = got
					b.Close()
				}
			}
		}
	}
}
