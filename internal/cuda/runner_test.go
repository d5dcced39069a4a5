//go:build gpu

package cuda

import (
	"slices"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"edm/internal/engine"
	"edm/internal/op"
	"edm/internal/testkit/optest"
)

// newAdder returns the runner of z = x + y for n elements, whose values are x, y
// and z in this order.
func newAdder(t *testing.T, b *Backend, n int) *runner {
	t.Helper()
	g := gorgonia.NewGraph()
	var in gorgonia.Nodes
	for _, name := range []string{"x", "y"} {
		in = append(in, gorgonia.NewTensor(g, tensor.Float32, 1, gorgonia.WithShape(n), gorgonia.WithName(name)))
	}
	z, err := op.Apply(op.Add{Rank: 1}, in...)
	must(t, err)
	p, err := engine.Compile(b, z)
	must(t, err)
	r, err := b.NewRunner(p)
	must(t, err)
	return r.(*runner)
}

// A graph is captured for each choice of memory, kept, and used again; the
// longest unused gives way to a new one.
func TestGraphsAreKept(t *testing.T) {
	const n, choices = 32, maxGraphs + 2
	b := backend(t, fp32)
	r := newAdder(t, b, n)
	flat := optest.Normal(1, choices*n)
	must(t, b.Mirror(flat))
	x, z := optest.Normal(2, n), make([]float32, n)
	r.Bind(0, engine.Buffer{F32: x}, 0)
	r.Bind(2, engine.Buffer{F32: z}, 0)
	run := func(choice int) *recorded {
		t.Helper()
		y := flat[choice*n : (choice+1)*n]
		r.Bind(1, engine.Buffer{F32: y}, 0)
		must(t, r.Start(), r.Wait())
		for i := range z {
			if z[i] != x[i]+y[i] {
				t.Fatalf("choice %d: element %d is %v, want %v", choice, i, z[i], x[i]+y[i])
			}
		}
		return r.current
	}
	if run(0) != nil {
		t.Error("the first run, which is checked, has a graph")
	}
	first, second := run(0), run(1)
	if first == nil || first == second || run(0) != first || run(1) != second {
		t.Error("two choices have not a graph each")
	}
	if first.graph.Nodes() != 1 {
		t.Errorf("the graph of one launch has %d nodes", first.graph.Nodes())
	}
	for choice := range choices {
		run(choice)
	}
	if len(r.graphs) != maxGraphs || slices.Contains(r.graphs, first) || run(choices-1) != r.graphs[maxGraphs-1] {
		t.Errorf("%d graphs are kept, the oldest one too: %v", len(r.graphs), slices.Contains(r.graphs, first))
	}
	must(t, b.Release(flat), r.Close())
}

// Of inputs that are staged only what is new is sent.
func TestStagingSendsWhatIsNew(t *testing.T) {
	x, y := []float32{1, 2}, []int64{3}
	a := &staged{size: 8, host: bytesOf(engine.Buffer{F32: x})}
	c := &staged{at: stagedAlign, size: 8, host: bytesOf(engine.Buffer{I64: y})}
	k := &block{members: []*staged{a, c}, bytes: make([]byte, 2*stagedAlign)}
	a.block, c.block = k, k
	expect := func(what string, from, to int) {
		t.Helper()
		if f, u := k.collect(); f != from || u != to {
			t.Errorf("%s: bytes %d to %d are sent, want %d to %d", what, f, u, from, to)
		}
	}
	expect("at first", 0, stagedAlign+8)
	expect("unchanged", 0, 0)
	x[1] = 7
	expect("the first changed", 0, 8)
	y[0] = 9
	expect("the second changed", stagedAlign, stagedAlign+8)
	a.version = 5
	x[0] = 4
	expect("a version", 0, 8)
	x[0] = 6
	expect("what the version promised not to change", 0, 0)
	a.version = 6
	expect("another version", 0, 8)
}

// A run is waited for before the next starts.
func TestRunsInTurn(t *testing.T) {
	r := newAdder(t, backend(t, fp32), 4)
	x, y, z := []float32{1, 2, 3, 4}, []float32{1, 1, 1, 1}, make([]float32, 4)
	for id, f := range [][]float32{x, y, z} {
		r.Bind(id, engine.Buffer{F32: f}, 0)
	}
	must(t, r.Start())
	if err := r.Start(); err == nil || !strings.Contains(err.Error(), "not waited for") {
		t.Errorf("a second start: %v", err)
	}
	must(t, r.Wait())
	if !slices.Equal(z, []float32{2, 3, 4, 5}) {
		t.Errorf("%v", z)
	}
	must(t, r.Close())
}
