package op_test

import (
	"math"
	"strings"
	"testing"

	"gorgonia.org/tensor"

	"edm/internal/op"
)

// Operands that do not fit are refused with what is wrong.
func TestShapesRefused(t *testing.T) {
	for _, c := range []struct {
		spec op.Spec
		in   []tensor.Shape
		want string
	}{
		{op.Narrow{From: 2, Len: 3}, []tensor.Shape{dims(2, 4, 3, 3)}, "channels 2..5 of 4"},
		{op.Narrow{From: -1, Len: 2}, []tensor.Shape{dims(2, 4, 3, 3)}, "channels -1..1 of 4"},
		{op.Narrow{From: 1}, []tensor.Shape{dims(2, 4, 3, 3)}, "channels 1..1 of 4"},
		{op.Widen{From: 2, Channels: 5}, []tensor.Shape{dims(2, 4, 3, 3)}, "channels 2..6 of 5"},
		{op.Pad{Width: -1}, []tensor.Shape{dims(2, 4, 3, 3)}, "border of -1"},
		{op.Crop{Width: 2}, []tensor.Shape{dims(2, 4, 9, 4)}, "border of 2 pixels on an image of 9x4"},
		{op.Down{Filter: filter(t, 1, 1), Gain: 1}, []tensor.Shape{dims(2, 4, 9, 4)}, "9x4 cannot be halved"},
		{op.Modulate{}, []tensor.Shape{dims(4), dims(2, 4)}, "scales and shifts"},
		{op.GNApply{Groups: 2, PerImage: true}, []tensor.Shape{dims(2, 4, 3, 3), dims(2, 2, 2), dims(4), dims(4)}, "gamma"},
		{op.GNApply{Groups: 2}, []tensor.Shape{dims(2, 4, 3, 3), dims(2, 2, 2), dims(4), dims(5)}, "beta"},
		{op.GNApply{Groups: 3}, []tensor.Shape{dims(2, 4, 3, 3), dims(2, 3, 2), dims(4), dims(4)}, "3 groups"},
		{op.AttnLSE{Heads: 3}, []tensor.Shape{dims(2, 12, 3, 3)}, "3 heads"},
	} {
		if _, err := c.spec.Shape(c.in); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%#v of %v: error %v, want one that says %q", c.spec, c.in, err, c.want)
		}
	}
}

// The Fourier embedding is cosine and sine of 2 pi f t.
func TestFourier(t *testing.T) {
	times, freqs := []float64{0, 0.25, -1.5}, []float64{1, 16.5, -3}
	for _, sinFirst := range []bool{false, true} {
		out := make([]float64, 2*len(times)*len(freqs))
		s := op.Fourier{SinFirst: sinFirst}
		shape, err := s.Shape([]tensor.Shape{dims(3), dims(3)})
		if err != nil || !shape.Eq(dims(3, 6)) {
			t.Fatalf("shape %v, error %v, want (3, 6)", shape, err)
		}
		s.Eval64(&op.Args[float64]{Out: out, In: [][]float64{times, freqs}, OutShape: shape})
		for n, v := range times {
			for k, f := range freqs {
				sin, cos := math.Sincos(2 * math.Pi * f * v)
				first, second := cos, sin
				if sinFirst {
					first, second = sin, cos
				}
				if a, b := out[6*n+k], out[6*n+3+k]; math.Abs(a-first) > 1e-13 || math.Abs(b-second) > 1e-13 {
					t.Errorf("t %v, f %v: %v and %v, want %v and %v", v, f, a, b, first, second)
				}
			}
		}
	}
}
