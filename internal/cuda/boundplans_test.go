//go:build gpu

package cuda

import (
	"strings"
	"testing"

	"gorgonia.org/tensor"

	"edm/internal/engine"
	"edm/internal/op"
	"edm/internal/testkit/optest"
)

// planOf returns the launches of an operation on arrays that are nowhere.
func planOf(t *testing.T, s op.Spec, in ...tensor.Shape) ([]launch, error) {
	t.Helper()
	out, err := s.Shape(in)
	if err != nil {
		t.Fatal(err)
	}
	k, err := newKernel(target{precision: fp32}, engine.Call{Spec: s, In: in, Out: out})
	if err != nil {
		return nil, err
	}
	return k.launches(operands{in: make([]pointer, len(in))}), nil
}

// TestBoundPlans: batches of great images have launches that every device takes.
func TestBoundPlans(t *testing.T) {
	known := map[string]map[string]head{}
	for _, x := range []tensor.Shape{{512, 192, 64, 64}, {1, 768, 8, 8}, {64, 128, 256, 256}, {2048, 64, 32, 32}, {1, 4, 1000, 1000}} {
		n, c := x[0], x[1]
		nc, v, label, stats := tensor.Shape{n, c}, tensor.Shape{c}, tensor.Shape{n}, tensor.Shape{n, c / 4, 2}
		f := optest.Filter(t, 1, 3, 3, 1)
		for _, p := range []struct {
			spec op.Spec
			in   []tensor.Shape
		}{
			{op.SiLU{Rank: 4}, []tensor.Shape{x}},
			{op.Combine{}, []tensor.Shape{x, x, label, label}},
			{op.SquaredError{}, []tensor.Shape{x, x, label}},
			{op.Concat{}, []tensor.Shape{x, x}},
			{op.Pad{Width: 3}, []tensor.Shape{x}},
			{op.Up{Filter: f, Gain: 4}, []tensor.Shape{x}},
			{op.Down{Filter: f, Gain: 1}, []tensor.Shape{x}},
			{op.SumHW{Scale: 1}, []tensor.Shape{x}},
			{op.SpreadHW{H: x[2], W: x[3]}, []tensor.Shape{nc}},
			{op.SumN{}, []tensor.Shape{nc}},
			{op.Modulate{Shift: true}, []tensor.Shape{v, {n, 2 * c}}},
			{op.GNStats{Groups: c / 4, Eps: 1e-5}, []tensor.Shape{x}},
			{op.GNApply{Groups: c / 4}, []tensor.Shape{x, stats, v, v}},
			{op.GNSums{Groups: c / 4}, []tensor.Shape{x, x, stats, v, v}},
			{op.GNData{Groups: c / 4, PerImage: true}, []tensor.Shape{x, x, stats, nc, nc, {n, c, 2}}},
			{op.GNParam{Which: 1, PerImage: true}, []tensor.Shape{{n, c, 2}}},
		} {
			launches, err := planOf(t, p.spec, p.in...)
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range launches {
				if known[l.module] == nil {
					known[l.module] = heads(t, l.module)
				}
				h, ok := known[l.module][l.name]
				checkArguments(t, h, ok, l)
			}
		}
	}
}

// TestBoundRefuses: what a kernel's indices do not reach is refused with what to
// do.
func TestBoundRefuses(t *testing.T) {
	great, many := tensor.Shape{4096, 512, 128, 128}, tensor.Shape{70000, 4, 2, 2}
	for _, p := range []struct {
		spec op.Spec
		in   []tensor.Shape
		want string
	}{
		{op.Down{Filter: optest.Filter(t, 1, 1), Gain: 1}, []tensor.Shape{great}, "8589934592 pixels"},
		{op.Crop{Width: 1}, []tensor.Shape{great}, "pixels, want at most 2147479552: use a smaller microbatch"},
		{op.GNStats{Groups: 1}, []tensor.Shape{{1, 4, 1 << 15, 1 << 14}}, "elements in a group"},
		{op.SampleScale{}, []tensor.Shape{many, {70000}}, "70000 images, want at most 65535: use a smaller microbatch"},
		{op.Concat{}, []tensor.Shape{many, many}, "70000 images"},
	} {
		if _, err := planOf(t, p.spec, p.in...); err == nil || !strings.Contains(err.Error(), p.want) {
			t.Errorf("%#v of %v: error %v, want one that says %q", p.spec, p.in, err, p.want)
		}
	}
}
