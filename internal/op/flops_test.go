package op

import (
	"testing"

	"gorgonia.org/tensor"
)

// Each array counts once, and of one that is read in part that part.
func TestBytes(t *testing.T) {
	image := tensor.Shape{2, 3, 4, 4}
	for _, c := range []struct {
		spec Spec
		in   []tensor.Shape
		out  tensor.Shape
		want float64
	}{
		{SiLU{Rank: 4}, []tensor.Shape{image}, image, 2 * 4 * 96},
		{Add{Rank: 4}, []tensor.Shape{image, image}, image, 3 * 4 * 96},
		{Conv2D{Kernel: 3}, []tensor.Shape{image, {5, 3, 3, 3}}, tensor.Shape{2, 5, 4, 4}, 4 * (96 + 135 + 160)},
		{Narrow{From: 1, Len: 1}, []tensor.Shape{image}, tensor.Shape{2, 1, 4, 4}, 2 * 4 * 32},
		{Crop{}, []tensor.Shape{image}, tensor.Shape{2, 3, 2, 2}, 2 * 4 * 24},
	} {
		if got := Bytes(c.spec, c.in, c.out); got != c.want {
			t.Errorf("%T: %v bytes, want %v", c.spec, got, c.want)
		}
	}
}
