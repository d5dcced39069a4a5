package engine_test

import (
	"slices"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"edm/internal/engine"
	"edm/internal/op"
)

// pairing is the portable backend with one kernel for a SiLU and the sum that
// reads its argument and its result; it counts what it is asked.
type pairing struct {
	engine.Portable
	asked, runs int
}

func (b *pairing) Pair(first, second *engine.Step) engine.Kernel {
	b.asked++
	if _, ok := second.Spec.(op.Add); !ok {
		return nil
	}
	silu, err := b.Kernel(first.Call)
	if err != nil {
		return nil
	}
	sum, err := b.Kernel(second.Call)
	if err != nil {
		return nil
	}
	return &pairKernel{b, silu, sum}
}

type pairKernel struct {
	b         *pairing
	silu, sum engine.Kernel
}

func (k *pairKernel) Workspace() int { return 0 }

func (k *pairKernel) Run(a *engine.Args) {
	k.b.runs++
	k.silu.Run(&engine.Args{Out: a.In[1], In: a.In[:1]})
	k.sum.Run(a)
}

// A backend is offered neighbouring steps only if the second reads all that the
// first one reads and writes; their results are those of two kernels.
func TestPair(t *testing.T) {
	g := gorgonia.NewGraph()
	x := gorgonia.NewTensor(g, tensor.Float32, 1, gorgonia.WithShape(5), gorgonia.WithName("x"))
	fill(t, x, 1)
	b := op.Builder{}
	y := b.SiLU(x)
	sum := b.Add(x, y)      // with y, a pair
	last := b.SiLU(sum)     // reads no x
	other := b.Add(x, last) // reads no sum
	if b.Err != nil {
		t.Fatal(b.Err)
	}
	var want []gorgonia.Value
	backend := &pairing{}
	outputs := gorgonia.Nodes{y, other}
	for _, used := range []engine.Backend{engine.Portable{}, backend} {
		p, err := engine.Compile(used, outputs...)
		if err != nil {
			t.Fatal(err)
		}
		m, err := engine.NewMachine(p)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.RunAll(); err != nil {
			t.Fatal(err)
		}
		for i, n := range outputs {
			got, err := m.Value(n)
			if err != nil {
				t.Fatal(err)
			}
			if len(want) < 2 {
				want = append(want, got)
			} else if !got.(*tensor.Dense).Eq(want[i]) {
				t.Errorf("output %d is %v, want %v", i, got, want[i])
			}
		}
	}
	if backend.asked != 1 || backend.runs != 1 {
		t.Errorf("asked %d times for a pair, which ran %d times; want once each", backend.asked, backend.runs)
	}
}

// eager is the portable backend with one kernel for any two steps.
type eager struct {
	engine.Portable
	pairs int
}

func (b *eager) Pair(first, second *engine.Step) engine.Kernel {
	one, err := b.Kernel(first.Call)
	if err != nil {
		return nil
	}
	two, err := b.Kernel(second.Call)
	if err != nil {
		return nil
	}
	b.pairs++
	k := &eagerKernel{one: one, two: two, out: slices.Index(second.Inputs, first.Output)}
	for _, id := range first.Inputs {
		k.in = append(k.in, slices.Index(second.Inputs, id))
	}
	return k
}

// eagerKernel runs two kernels with the arguments of the second, among which
// are the inputs and the output of the first.
type eagerKernel struct {
	one, two engine.Kernel
	in       []int
	out      int
}

func (k *eagerKernel) Workspace() int { return 0 }

func (k *eagerKernel) Run(a *engine.Args) {
	first := &engine.Args{Out: a.In[k.out]}
	for _, i := range k.in {
		first.In = append(first.In, a.In[i])
	}
	k.one.Run(first)
	k.two.Run(a)
}

// The second step of a pair is not the first of another, though it might be.
func TestPairsDoNotOverlap(t *testing.T) {
	g := gorgonia.NewGraph()
	input := func(name string, shape ...int) *gorgonia.Node {
		n := gorgonia.NewTensor(g, tensor.Float32, len(shape), gorgonia.WithShape(shape...), gorgonia.WithName(name))
		fill(t, n, 1)
		return n
	}
	x, w := input("x", 2, 3, 4, 5), input("w", 2)
	b := op.Builder{}
	y := b.SiLU(x)
	e := b.Apply(op.SquaredError{}, x, y, w)
	z := b.Apply(op.Combine{}, x, y, w, e)
	if b.Err != nil {
		t.Fatal(b.Err)
	}
	var want gorgonia.Value
	backend := &eager{}
	for _, used := range []engine.Backend{engine.Portable{}, backend} {
		p, err := engine.Compile(used, z)
		if err != nil {
			t.Fatal(err)
		}
		m, err := engine.NewMachine(p)
		if err != nil {
			t.Fatal(err)
		}
		m.Poison()
		if err := m.RunAll(); err != nil {
			t.Fatal(err)
		}
		got, err := m.Value(z)
		if err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = got
		} else if !got.(*tensor.Dense).Eq(want) {
			t.Errorf("result is %v, want %v", got, want)
		}
	}
	if backend.pairs != 1 {
		t.Errorf("%d pairs of three steps, want 1", backend.pairs)
	}
}
