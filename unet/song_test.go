package unet

import (
	"fmt"
	"math"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"edm/internal/engine"
	"edm/internal/op"
	"edm/internal/rng"
)

// A convolution and the filter after it are one map of an image in an endless
// field of zeros: a wider border computes the same.
func TestConvDownNeedsNoWiderBorder(t *testing.T) {
	for _, taps := range [][]float64{{1, 1}, {1, 3, 3, 1}, {1, 5, 10, 10, 5, 1}, {1, 2, 4, 8, 9, 5, 2, 1}} {
		t.Run(fmt.Sprint(len(taps)), func(t *testing.T) {
			filter, err := op.NewFilter(taps...)
			if err != nil {
				t.Fatal(err)
			}
			g := gorgonia.NewGraph()
			x := gorgonia.NewTensor(g, tensor.Float64, 4, gorgonia.WithShape(2, 3, 8, 6), gorgonia.WithName("x"))
			s := &scope{style: songStyle(), graph: g, dtype: tensor.Float64, filter: filter}
			got := s.convDown("narrow", x, 4)
			w, b := s.params[0].Node, s.params[1].Node
			const border = 8
			wide := s.Apply(op.Conv2D{Kernel: 3, Bias: true, Scale: 1}, s.Apply(op.Pad{Width: 2 * border}, x), w, b)
			want := s.Apply(op.Crop{Width: border}, s.Apply(op.Down{Filter: filter, Gain: 1}, wide))
			if s.Err != nil {
				t.Fatal(s.Err)
			}
			equal(t, gorgonia.Nodes{x, w, b}, got, want)
		})
	}
}

// equal fails unless two nodes have the same value on random inputs.
func equal(t *testing.T, inputs gorgonia.Nodes, got, want *gorgonia.Node) {
	t.Helper()
	p, err := engine.Compile(engine.Portable{}, got, want)
	if err != nil {
		t.Fatal(err)
	}
	m, err := engine.NewMachine(p)
	if err != nil {
		t.Fatal(err)
	}
	for i, n := range inputs {
		v := make([]float64, n.Shape().TotalSize())
		rng.FillNormal(v, 1, rng.Init, uint64(i))
		if err := m.Bind(n, engine.Buffer{F64: v}); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.RunAll(); err != nil {
		t.Fatal(err)
	}
	a, errA := m.Value(got)
	b, errB := m.Value(want)
	if errA != nil || errB != nil {
		t.Fatal(errA, errB)
	}
	x, y := a.Data().([]float64), b.Data().([]float64)
	if len(x) != len(y) || len(x) == 0 {
		t.Fatalf("%d values, want %d", len(x), len(y))
	}
	for i := range y {
		if math.Abs(x[i]-y[i]) > 1e-12 {
			t.Fatalf("element %d is %v, want %v", i, x[i], y[i])
		}
	}
}
