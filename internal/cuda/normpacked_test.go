//go:build gpu

package cuda

import (
	"fmt"
	"testing"

	"gorgonia.org/tensor"

	"edm/internal/engine"
	"edm/internal/op"
	"edm/internal/testkit/optest"
)

// packedOf returns images as their packed pixels are to be.
func packedOf(p packedPixels, x []float32) []float32 {
	rounded := bf16.rounded(x)
	want := make([]float32, p.count()*p.stride())
	for i := range want {
		if q, c := i/p.stride(), i%p.stride(); c < p.channels {
			want[i] = rounded[(q/p.size*p.channels+c)*p.size+q%p.size]
		}
	}
	return want
}

// packs fails unless a kernel writes the packed pixels of images with the given
// values.
func (b *table) packs(t *testing.T, k kernel, inputs []engine.Buffer, shape tensor.Shape, x []float32, shift int) {
	t.Helper()
	p := newPackedPixels(shape)
	o := operands{out: b.unwritten(t, p.elements(), 0), in: b.inputs(t, inputs, shift)}
	b.start(t, k.launches(o))
	want := packedOf(p, x)
	optest.SameBits(t, "packed pixels", b.unpacked(t, o.out, len(want)), want)
}

// normSizes are sizes of images and their groups that cross the borders of tiles.
func normSizes() [][5]int {
	return [][5]int{{1, 8, 1, 1, 2}, {2, 12, 5, 7, 3}, {3, 130, 8, 8, 2}, {2, 64, 4, 4, 16}, {1, 71, 9, 12, 1}, {2, 200, 6, 22, 25}}
}

// normProblem returns the application of a norm with statistics of any values.
func normProblem(t *testing.T, s [5]int, silu, perImage bool) optest.Problem {
	t.Helper()
	v := tensor.Shape{s[1]}
	if perImage {
		v = tensor.Shape{s[0], s[1]}
	}
	return optest.New(t, op.GNApply{Groups: s[4], SiLU: silu, PerImage: perImage}, s[:4], tensor.Shape{s[0], s[4], 2}, v, v)
}

// TestPackedNorm: a norm's packed result is its float32 result, rounded, wherever
// the images begin.
func TestPackedNorm(t *testing.T) {
	b := newTable(t)
	for _, s := range normSizes() {
		for i := range 4 {
			q := normProblem(t, s, i%2 == 1, i/2 == 1)
			k, err := newKernel(target{precision: bf16}, q.Call)
			must(t, err)
			plain := b.run(t, q, manner{over: -1})
			for _, shift := range []int{0, 1} {
				t.Run(fmt.Sprint(describe(q), shift), func(t *testing.T) {
					b.packs(t, k.(packedWriter).packed(), q.Inputs, q.Out, plain, shift)
				})
			}
		}
	}
}

// TestPackedNormWithDropout: so is that of a dropout behind the norm, with the masks
// of the definition.
func TestPackedNormWithDropout(t *testing.T) {
	b := newTable(t)
	for i, s := range normSizes() {
		norm := normProblem(t, s, true, i%2 == 1)
		drop := optest.New(t, op.Dropout{Site: 2}, norm.Out, tensor.Shape{1}, tensor.Shape{1}, norm.Out[:1])
		k, err := newDroppedNorm(norm.Call, drop.Call)
		must(t, err)
		if whole := s[2]*s[3]%4 == 0; !whole || k == nil {
			if k != nil || whole {
				t.Errorf("%v: a kernel %v", s, k)
			}
			continue
		}
		drop.Inputs[0].F32 = b.run(t, norm, manner{over: -1})
		drop.Inputs[2] = engine.Buffer{I64: []int64{-5 << 35}}
		drop.Inputs[3] = engine.Buffer{I64: []int64{5, 6, 7 << 40}[:s[0]]}
		for _, chance := range []float32{0, 0.3, 1} {
			drop.Inputs[1].F32 = []float32{chance}
			inputs := append(append([]engine.Buffer{}, norm.Inputs...), drop.Inputs[1:]...)
			b.packs(t, k, inputs, norm.Out, drop.Run(t, engine.Portable{}), 0)
		}
	}
}

// TestPackedNormPlans: great images have launches that every device takes, and too
// great ones are refused.
func TestPackedNormPlans(t *testing.T) {
	known := heads(t, "normpacked")
	met := map[string]bool{}
	for _, x := range []tensor.Shape{{512, 192, 64, 64}, {64, 128, 256, 256}, {2048, 64, 32, 32}, {1, 4, 1000, 1000}} {
		for i := range 3 {
			s := op.GNApply{Groups: x[1] / 4, SiLU: i > 0}
			var drop *op.Dropout
			if i == 2 {
				drop = &op.Dropout{Site: 3}
			}
			k, err := newPackedNorm(s, engine.Call{Spec: s, Out: x}, drop)
			must(t, err)
			for _, l := range k.launches(operands{in: make([]pointer, 4+3*(i/2))}) {
				h, ok := known[l.name]
				checkArguments(t, h, ok, l)
				met[l.name] = true
			}
		}
	}
	if len(met) != len(known) {
		t.Errorf("%d of %d kernels have a plan", len(met), len(known))
	}
	for _, x := range []tensor.Shape{{1, 1 << 10, 1 << 11, 1 << 10}, {1 << 26, 1 << 12, 1, 1}} {
		s := op.GNApply{Groups: 1}
		if _, err := newPackedNorm(s, engine.Call{Spec: s, Out: x}, nil); err == nil {
			t.Errorf("a norm of %v was prepared", x)
		}
	}
}
