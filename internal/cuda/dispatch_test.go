//go:build gpu

package cuda

import (
	"reflect"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"edm/internal/engine"
	"edm/internal/op"
	"edm/internal/testkit/optest"
)

// Every operation that the tests of the backends know has a kernel in every
// target; none needs a device to be planned.
func TestEveryOperationHasAKernel(t *testing.T) {
	var calls []engine.Call
	for _, s := range optest.Sizes() {
		for _, c := range append(optest.Cases(t, s[0], s[1], s[2], s[3]), optest.VectorCases(t, s[0], s[1], s[2], s[3])...) {
			calls = append(calls, c.Call)
		}
		for _, kernel := range []int{1, 3} {
			for _, p := range optest.ConvProblems(t, s[0], s[1], s[1]+3, s[2], s[3], kernel, true) {
				calls = append(calls, p.Call)
			}
		}
	}
	for _, p := range optest.DropoutProblems(t) {
		calls = append(calls, p.Call)
	}
	met := map[reflect.Type]bool{}
	for _, c := range calls {
		met[reflect.TypeOf(c.Spec)] = true
		for _, to := range targets {
			k, err := newKernel(to, c)
			if err != nil || k.workspace() < 0 {
				t.Errorf("%#v%v: %v", c.Spec, c.In, err)
			}
		}
	}
	if len(met) < 38 {
		t.Errorf("%d operations were tried, want all 38", len(met))
	}
}

// The operations of one program run on the device as they do one by one on the
// processor: every step of a chain reads what another wrote, in place or not.
func TestPrograms(t *testing.T) {
	b := backend(t, fp32)
	const n, c, size = 2, 8, 6
	g := gorgonia.NewGraph()
	inputs := map[*gorgonia.Node][]float32{}
	input := func(name string, shape ...int) *gorgonia.Node {
		x := gorgonia.NewTensor(g, tensor.Float32, len(shape), gorgonia.WithShape(shape...), gorgonia.WithName(name))
		inputs[x] = optest.Normal(uint64(len(inputs)+1), x.Shape().TotalSize())
		return x
	}
	build := op.Builder{}
	x, w := input("x", n, c, size, size), input("w", 3*c, c, 1, 1)
	h := build.GroupNorm(x, input("gamma", c), input("beta", c), 2, 1e-5, true)
	qkv := build.Apply(op.Conv2D{Kernel: 1, Bias: true, Scale: 1}, h, w, input("b", 3*c))
	y := build.Add(build.Attention(qkv, 2), x)
	y = build.Scale(build.SiLU(y), 0.7)
	if build.Err != nil {
		t.Fatal(build.Err)
	}
	grads, err := gorgonia.Backpropagate(gorgonia.Nodes{y}, gorgonia.Nodes{input("g", n, c, size, size)}, gorgonia.Nodes{x, w})
	must(t, err)
	outputs := gorgonia.Nodes{y, grads[0], grads[1]}
	run := func(b engine.Backend) [][]float32 {
		p, err := engine.Compile(b, outputs...)
		must(t, err)
		m, err := engine.NewMachine(p)
		must(t, err)
		for node, values := range inputs {
			must(t, m.Bind(node, engine.Buffer{F32: values}))
		}
		var out [][]float32
		for range 2 { // checked, and captured
			must(t, m.RunAll())
		}
		for _, node := range outputs {
			v, err := m.Value(node)
			must(t, err)
			out = append(out, v.Data().([]float32))
		}
		must(t, m.Close())
		return out
	}
	want := run(engine.Portable{})
	for i, got := range run(b) {
		optest.Near(t, got, optest.Widened(want[i]), 3e-5) // both round
	}
}
