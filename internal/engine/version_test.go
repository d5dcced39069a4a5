package engine_test

import (
	"slices"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"edm/internal/engine"
	"edm/internal/op"
)

// witness is the portable backend that notes the versions a kernel is shown.
type witness struct {
	engine.Portable
	seen [][]uint64 // by run of any kernel
}

type witnessed struct {
	engine.Kernel
	w *witness
}

func (w *witness) Kernel(c engine.Call) (engine.Kernel, error) {
	k, err := w.Portable.Kernel(c)
	return witnessed{k, w}, err
}

func (k witnessed) Run(a *engine.Args) {
	k.w.seen = append(k.w.seen, slices.Clone(a.Version))
	k.Kernel.Run(a)
}

// A kernel sees the version of an input that was bound with one, and 0 for
// intermediates and for inputs that may change.
func TestKernelsSeeVersions(t *testing.T) {
	g := gorgonia.NewGraph()
	input := func(name string, shape ...int) *gorgonia.Node {
		return gorgonia.NewTensor(g, tensor.Float32, len(shape), gorgonia.WithShape(shape...), gorgonia.WithName(name))
	}
	x, w := input("x", 2, 3), input("w", 3, 3)
	var b op.Builder
	y := b.Apply(op.Linear{Scale: 1}, b.Apply(op.Linear{Scale: 1}, x, w), w)
	if b.Err != nil {
		t.Fatal(b.Err)
	}
	backend := &witness{}
	p, err := engine.Compile(backend, y)
	if err != nil {
		t.Fatal(err)
	}
	m, err := engine.NewMachine(p)
	if err != nil {
		t.Fatal(err)
	}
	buffer := func(n int) engine.Buffer { return engine.NewBuffer(engine.Float32, n) }
	if err := m.Bind(x, buffer(6)); err != nil {
		t.Fatal(err)
	}
	weights := buffer(9)
	for _, bind := range []struct {
		do   func() error
		want uint64
	}{
		{func() error { return m.BindVersion(w, weights, 7) }, 7},
		{func() error { return nil }, 7},
		{func() error { return m.BindVersion(w, weights, 8) }, 8},
		{func() error { return m.Bind(w, weights) }, 0},
	} {
		backend.seen = nil
		if err := bind.do(); err != nil {
			t.Fatal(err)
		}
		if err := m.RunAll(); err != nil {
			t.Fatal(err)
		}
		for _, v := range backend.seen {
			if !slices.Equal(v, []uint64{0, bind.want}) {
				t.Errorf("a kernel saw versions %v, want [0 %d]", v, bind.want)
			}
		}
		if len(backend.seen) != 2 {
			t.Errorf("%d kernels ran, want 2", len(backend.seen))
		}
	}
	if err := m.BindVersion(w, buffer(8), 9); err == nil {
		t.Error("a buffer of the wrong size was bound")
	}
}
