package engine_test

import (
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
