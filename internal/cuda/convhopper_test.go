//go:build gpu

package cuda

import (
	"fmt"
	"testing"

	"edm/internal/engine"
	"edm/internal/op"
)

// TestHopperBoxes: boxes are as wide and as high as they go while the fewest hold all
// pixels. Where width is even, they are of whole pairs.
func TestHopperBoxes(t *testing.T) {
	for _, c := range []struct {
		shape            []int
		kernel, n, boxes int
		want             hopperBox
	}{
		{[]int{1, 3, 28, 28}, 3, 256, 4, hopperBox{28, 9, 1}},
		{[]int{2, 3, 28, 28}, 3, 64, 28, hopperBox{28, 2, 1}},
		{[]int{64, 3, 32, 32}, 3, 256, 256, hopperBox{32, 8, 1}},
		{[]int{5, 3, 8, 8}, 3, 256, 2, hopperBox{8, 8, 4}},
		{[]int{20, 3, 7, 7}, 3, 256, 4, hopperBox{7, 7, 5}},
		{[]int{30, 3, 12, 12}, 3, 256, 18, hopperBox{12, 4, 5}},
		{[]int{1, 3, 2, 514}, 3, 256, 5, hopperBox{128, 2, 1}},
		{[]int{300, 3, 1, 1}, 3, 128, 3, hopperBox{1, 1, 128}},
		{[]int{3, 3, 5, 7}, 1, 128, 1, hopperBox{105, 1, 1}},
		{[]int{64, 3, 7, 7}, 1, 256, 13, hopperBox{256, 1, 1}},
	} {
		s := newHopperImages(c.shape, c.kernel)
		if b := s.box(c.n); b != c.want || s.boxes(b) != c.boxes {
			t.Errorf("%v, kernel %d: %d boxes of %v, want %d of %v", c.shape, c.kernel, s.boxes(b), b, c.boxes, c.want)
		}
	}
}

// hopperCalls returns a 3x3 convolution of that many channels and one by weights.
func hopperCalls(n, channels, size int) (forward, weights engine.Call) {
	x, w := []int{n, channels, size, size}, []int{channels, channels, 3, 3}
	forward = engine.Call{Spec: op.Conv2D{Kernel: 3, Scale: 1}, Out: x}
	forward.In = append(forward.In, x, w)
	weights = engine.Call{Spec: op.Conv2DWeights{Kernel: 3, Scale: 1}, Out: w}
	weights.In = append(weights.In, x, x)
	return forward, weights
}

// TestHopperTiles: large layers have the tile that reads least, small ones one that
// gives every multiprocessor work. Blocks of a gradient by weights are about as many
// as a device of 132 multiprocessors runs at once.
func TestHopperTiles(t *testing.T) {
	to := target{precision: bf16, wgmma: true}
	for _, c := range []struct {
		n, channels, size int
		tile              string
		blocks            int // of the gradient by weights
	}{
		{64, 256, 32, "128x256", 126}, {64, 256, 8, "64x128", 126}, {4, 256, 8, "64x128", 72},
	} {
		forward, weights := hopperCalls(c.n, c.channels, c.size)
		k, err := newKernel(to, forward)
		must(t, err)
		if got := fmt.Sprint(k.(*convHopper).tile); got != c.tile {
			t.Errorf("%v: tile %s, want %s", c, got, c.tile)
		}
		k, err = newKernel(to, weights)
		must(t, err)
		if got := k.(*convHopperWeights).blocks(); got != c.blocks {
			t.Errorf("%v: %d blocks compute the gradient by weights, want %d", c, got, c.blocks)
		}
	}
}

// TestHopperTooLarge: more pixels than 32-bit numbers reach are an error.
func TestHopperTooLarge(t *testing.T) {
	forward, weights := hopperCalls(1<<20, 8, 64)
	for _, c := range []engine.Call{forward, weights} {
		if _, err := newKernel(target{precision: bf16, wgmma: true}, c); err == nil {
			t.Errorf("%v of 2^32 pixels was prepared", op.Op{Spec: c.Spec})
		}
	}
}
