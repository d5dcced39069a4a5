package engine_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"edm/internal/cpu"
	"edm/internal/engine"
	"edm/internal/op"
	"edm/unet"
)

// computed returns the nodes of the graph that are no inputs, in creation order.
func (n *tiny) computed() gorgonia.Nodes {
	var nodes gorgonia.Nodes
	for _, x := range n.outputs[0].Graph().AllNodes() {
		if x.Op() != nil {
			nodes = append(nodes, x)
		}
	}
	return nodes
}

// forgetting compiles the outputs with values that are not kept beyond the loss.
func (n *tiny) forgetting(t *testing.T, b engine.Backend, values gorgonia.Nodes) *engine.Machine {
	t.Helper()
	p, err := engine.CompileForgetting(b, engine.Forgetting{Values: values, Until: n.outputs[1]}, n.outputs...)
	if err != nil {
		t.Fatal(err)
	}
	m, err := engine.NewMachine(p)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Whatever is forgotten, images or statistics, in the forward pass or not, the
// outputs keep their bits, and nothing is computed more than twice.
func TestForgettingChangesNoBit(t *testing.T) {
	fast := cpu.New(2)
	defer fast.Close()
	draw := rand.New(rand.NewPCG(1, 2))
	for _, arch := range []string{unet.DDPMPP, unet.NCSNPP, unet.ADM} {
		width, size := 16, 8
		if arch == unet.ADM {
			width, size = 64, 4
		}
		n := newNet(t, arch, tensor.Float32, width, size)
		want := n.run(t, fast)
		all := n.computed()
		for _, share := range []float64{0.1, 0.5, 0.9, 1} {
			var some gorgonia.Nodes
			for _, x := range all {
				if draw.Float64() < share {
					some = append(some, x)
				}
			}
			m := n.forgetting(t, fast, some)
			for i, got := range n.values(t, m) {
				if !slices.Equal(got, want[i]) {
					t.Errorf("%s: with %v of the values forgotten %s has other bits", arch, share, n.names[i])
				}
			}
			checkSteps(t, m.Program(), n.machine(t, fast).Program(), share == 1)
		}
	}
}

// checkSteps compares a program that forgets with the one that does not.
func checkSteps(t *testing.T, p, plain *engine.Program, everything bool) {
	t.Helper()
	again := 0
	for _, s := range p.Steps {
		if s.Again {
			again++
		}
	}
	if again == 0 || len(p.Steps)-again != len(plain.Steps) {
		t.Errorf("%d steps with %d repeated, and %d if nothing is", len(p.Steps), again, len(plain.Steps))
	}
	if again > len(plain.Steps)/2 {
		t.Errorf("%d of %d steps are repeated: some more than once, or of the backward pass", again, len(plain.Steps))
	}
	all, extra := p.Flops()
	one, none := plain.Flops()
	if none != 0 || all-extra != one {
		t.Errorf("%v operations with %v of them repeated, want %v besides these and none without", all, extra, one)
	}
	if everything && extra < one/5 {
		t.Errorf("%v of %v operations are repeated, want most of the forward pass", extra, one)
	}
}

// A chain whose values are forgotten needs the memory of one more value at a
// time, not of all.
func TestForgettingFreesMemory(t *testing.T) {
	const blocks, size = 6, 1 << 10
	g := gorgonia.NewGraph()
	var b op.Builder
	input := func(name string, shape ...int) *gorgonia.Node {
		return gorgonia.NewTensor(g, tensor.Float32, len(shape), gorgonia.WithShape(shape...), gorgonia.WithName(name))
	}
	x, y := input("x", 1, 1, 32, 32), input("y", 1, 1, 32, 32)
	var inside gorgonia.Nodes
	h := x
	for range blocks {
		a := b.SiLU(h)
		c := b.SiLU(a)
		h = b.SiLU(c)
		inside = append(inside, a, c)
	}
	loss := b.Apply(op.SquaredError{}, h, y, input("weight", 1))
	if b.Err != nil {
		t.Fatal(b.Err)
	}
	grads, err := gorgonia.Backpropagate(gorgonia.Nodes{loss}, gorgonia.Nodes{input("cotangent", 1)}, gorgonia.Nodes{x})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		forget gorgonia.Nodes
		want   int // values alive at the peak
	}{
		// All but the last SiLU's output, which the loss's gradient overwrites.
		{nil, 3 * blocks},
		// The blocks' outputs, of which the last carries the gradient, and one
		// block's inside.
		{inside, blocks + 2},
	} {
		p, err := engine.CompileForgetting(engine.Portable{}, engine.Forgetting{Values: c.forget, Until: loss}, loss, grads[0])
		if err != nil {
			t.Fatal(err)
		}
		if got := p.ArenaBytes(); got != int64(4*size*c.want) || got != p.LiveBytes() {
			t.Errorf("%d values forgotten: arena of %d bytes, least %d, want %d", len(c.forget), got, p.LiveBytes(), 4*size*c.want)
		}
	}
}

// The step behind which values are forgotten still reads them as they are.
func TestUntilReadsWhatIsForgotten(t *testing.T) {
	g := gorgonia.NewGraph()
	var b op.Builder
	x := gorgonia.NewTensor(g, tensor.Float32, 1, gorgonia.WithShape(5), gorgonia.WithName("x"))
	y := b.SiLU(x)
	until := b.SiLU(y)
	last := b.SiLU(until)
	if b.Err != nil {
		t.Fatal(b.Err)
	}
	f := engine.Forgetting{Values: gorgonia.Nodes{y}, Until: until}
	p, err := engine.CompileForgetting(engine.Portable{}, f, last)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Steps) != 3 {
		t.Errorf("%d steps, want 3: nothing is needed again", len(p.Steps))
	}
}

func TestForgettingFaults(t *testing.T) {
	n := newTiny(t, tensor.Float32)
	values := n.computed()
	f := engine.Forgetting{Values: values, Until: values[len(values)-1]}
	if _, err := engine.CompileForgetting(engine.Portable{}, f, n.outputs[0]); err == nil {
		t.Error("values were forgotten after one that the outputs do not need")
	}
	if _, err := engine.CompileForgetting(engine.Portable{}, engine.Forgetting{}); err == nil {
		t.Error("a program without outputs was compiled")
	}
	// Inputs and outputs are the caller's memory: there is nothing to forget.
	f = engine.Forgetting{Values: append(slices.Clone(n.inputs), n.outputs...), Until: n.outputs[1]}
	p, err := engine.CompileForgetting(engine.Portable{}, f, n.outputs...)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range p.Steps {
		if s.Again {
			t.Fatalf("%T is computed again", s.Spec)
		}
	}
}
