package engine_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"edm/internal/cpu"
	"edm/internal/engine"
	"edm/internal/op"
	"edm/internal/rng"
	"edm/unet"
)

// tiny is a whole training graph: a small UNet with every block it can have,
// the squared error, and the gradient by every parameter.
type tiny struct {
	inputs  gorgonia.Nodes
	outputs gorgonia.Nodes
	names   []string // of the outputs
}

func newTiny(t testing.TB, dtype tensor.Dtype) *tiny { return newNet(t, unet.DDPMPP, dtype, 16, 8) }

// newNet is the same of another architecture, width and image size.
func newNet(t testing.TB, arch string, dtype tensor.Dtype, width, size int) *tiny {
	t.Helper()
	c, err := unet.ArchDefaults(arch)
	if err != nil {
		t.Fatal(err)
	}
	c.ImgResolution, c.InChannels, c.OutChannels, c.LabelDim, c.AugmentDim = size, 3, 3, 4, 2
	c.ModelChannels, c.ChannelMult, c.NumBlocks, c.AttnResolutions, c.Dropout = width, []int{1, 2}, 1, []int{size / 2}, 0.2
	g := gorgonia.NewGraph()
	n := &tiny{names: []string{"F", "loss", "x"}}
	const batch = 2
	input := func(name string, dtype tensor.Dtype, shape ...int) *gorgonia.Node {
		x := gorgonia.NewTensor(g, dtype, len(shape), gorgonia.WithShape(shape...), gorgonia.WithName(name))
		n.inputs = append(n.inputs, x)
		return x
	}
	in := unet.Inputs{
		X: input("x", dtype, batch, 3, size, size), NoiseLabels: input("noise", dtype, batch),
		ClassLabels: input("class", dtype, batch, 4), AugmentLabels: input("augment", dtype, batch, 2),
		Dropout: &unet.Dropout{
			P: input("p", dtype, 1), Key: input("key", tensor.Int64, 1), Counter: input("counter", tensor.Int64, batch),
		},
	}
	f, params, err := c.Build(in)
	if err != nil {
		t.Fatal(err)
	}
	loss, err := op.Apply(op.SquaredError{}, f, input("y", dtype, batch, 3, size, size), input("weight", dtype, batch))
	if err != nil {
		t.Fatal(err)
	}
	wrt := gorgonia.Nodes{in.X}
	for _, p := range params {
		n.inputs = append(n.inputs, p.Node)
		if !p.Frozen {
			wrt = append(wrt, p.Node)
			n.names = append(n.names, p.Name)
		}
	}
	grads, err := gorgonia.Backpropagate(gorgonia.Nodes{loss}, gorgonia.Nodes{input("cotangent", dtype, batch)}, wrt)
	if err != nil {
		t.Fatal(err)
	}
	n.outputs = append(gorgonia.Nodes{f, loss}, grads...)
	for i, x := range n.inputs {
		fill(t, x, uint64(i))
	}
	return n
}

// fill gives an input node a value as gorgonia.Let does.
func fill(t testing.TB, n *gorgonia.Node, index uint64) {
	t.Helper()
	size := n.Shape().TotalSize()
	var backing any
	switch n.Dtype() {
	case tensor.Int64:
		b := make([]int64, size)
		for i := range b {
			b[i] = int64(1000 + i)
		}
		backing = b
	case tensor.Float64:
		b := make([]float64, size)
		rng.FillNormal(b, 3, rng.Init, index)
		scale(b, n.Name())
		backing = b
	default:
		b := make([]float32, size)
		rng.FillNormal(b, 3, rng.Init, index)
		scale(b, n.Name())
		backing = b
	}
	if err := gorgonia.Let(n, tensor.New(tensor.WithShape(n.Shape()...), tensor.WithBacking(backing))); err != nil {
		t.Fatal(err)
	}
}

func scale[T float32 | float64](b []T, name string) {
	for i := range b {
		switch {
		case name == "p":
			b[i] = 0.2
		case strings.HasPrefix(name, "param."):
			b[i] *= 0.2
		}
	}
}

// run compiles and runs the outputs and returns copies of their values.
func (n *tiny) run(t testing.TB, b engine.Backend) [][]float64 {
	t.Helper()
	return n.values(t, n.machine(t, b))
}

// machine compiles the outputs.
func (n *tiny) machine(t testing.TB, b engine.Backend) *engine.Machine {
	t.Helper()
	p, err := engine.Compile(b, n.outputs...)
	if err != nil {
		t.Fatal(err)
	}
	m, err := engine.NewMachine(p)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// values runs m on an arena full of NaN and returns copies of the outputs.
func (n *tiny) values(t testing.TB, m *engine.Machine) [][]float64 {
	t.Helper()
	m.Poison()
	if err := m.RunAll(); err != nil {
		t.Fatal(err)
	}
	var out [][]float64
	for _, x := range n.outputs {
		v, err := m.Value(x)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, widen(t, v.Data()))
	}
	return out
}

func widen(t testing.TB, data any) []float64 {
	t.Helper()
	switch d := data.(type) {
	case []float64:
		return slices.Clone(d)
	case []float32:
		out := make([]float64, len(d))
		for i, v := range d {
			out[i] = float64(v)
		}
		return out
	}
	t.Fatalf("values of type %T", data)
	return nil
}

// tape runs the same outputs on Gorgonia's own machine.
func (n *tiny) tape(t *testing.T) [][]float64 {
	t.Helper()
	values := make([]gorgonia.Value, len(n.outputs))
	for i, x := range n.outputs {
		gorgonia.Read(x, &values[i])
	}
	vm := gorgonia.NewTapeMachine(n.outputs[0].Graph())
	defer vm.Close()
	if err := vm.RunAll(); err != nil {
		t.Fatal(err)
	}
	var out [][]float64
	for _, v := range values {
		out = append(out, widen(t, v.Data()))
	}
	return out
}

func rms(x []float64) float64 {
	var sum float64
	for _, v := range x {
		sum += v * v
	}
	return math.Sqrt(sum / float64(len(x)))
}

// The executor and Gorgonia's TapeMachine give the same numbers: the same bits
// with the portable kernels, 1e-5 of each tensor's RMS with the fast ones.
func TestEqualsTapeMachine(t *testing.T) {
	fast := cpu.New(2)
	defer fast.Close()
	for _, c := range []struct {
		arch        string
		dtype       tensor.Dtype
		width, size int
	}{
		{unet.DDPMPP, tensor.Float32, 16, 8}, {unet.DDPMPP, tensor.Float64, 16, 8}, {unet.NCSNPP, tensor.Float32, 16, 8},
		{unet.ADM, tensor.Float32, 64, 4}, // two heads of 64 channels
	} {
		n := newNet(t, c.arch, c.dtype, c.width, c.size)
		portable, quick := n.run(t, engine.Portable{}), n.run(t, fast)
		tape := n.tape(t)
		for i, x := range n.outputs {
			if !slices.Equal(portable[i], tape[i]) {
				t.Errorf("%s, %v: output %d (%v) differs from TapeMachine's bits", c.arch, c.dtype, i, x)
			}
		}
		n.compare(t, quick, tape)
	}
}

// At the widths and image sizes of real networks, where kernels work in blocks,
// the fast ones stay within 1e-5 too.
func TestFastKernelsInARealNetwork(t *testing.T) {
	fast := cpu.New(2)
	defer fast.Close()
	n := newNet(t, unet.DDPMPP, tensor.Float32, 64, 32)
	n.compare(t, n.run(t, fast), n.run(t, engine.Portable{}))
}

// compare holds each output to 1e-5 of its RMS. The key part of an attention
// bias has a true gradient of zero, so its rounding is held to the other
// parts'.
func (n *tiny) compare(t *testing.T, got, want [][]float64) {
	t.Helper()
	for i, name := range n.names {
		diff := make([]float64, len(want[i]))
		for k := range diff {
			diff[k] = got[i][k] - want[i][k]
		}
		if e := rms(diff); !(e <= 1e-5*rms(want[i])) {
			t.Errorf("%s: fast kernels differ by %.2e of the RMS %.2e", name, e/rms(want[i]), rms(want[i]))
		}
		if rms(want[i]) == 0 {
			t.Errorf("%s is all zero: nothing was compared", name)
		}
	}
}

// The same bits come from any number of threads, and from run to run of one
// machine, whatever its arena holds before.
func TestDeterministic(t *testing.T) {
	n := newTiny(t, tensor.Float32)
	var want [][]float64
	for _, threads := range []int{1, 2, 5} {
		b := cpu.New(threads)
		m := n.machine(t, b)
		for range 2 {
			got := n.values(t, m)
			if want == nil {
				want = got
			}
			for i := range want {
				if !slices.Equal(got[i], want[i]) {
					t.Errorf("%d threads: output %d differs", threads, i)
				}
			}
		}
		b.Close()
	}
}

func TestNoAllocation(t *testing.T) {
	b := cpu.New(2)
	defer b.Close()
	n := newTiny(t, tensor.Float32)
	m := n.machine(t, b)
	for _, x := range n.inputs {
		if !m.Uses(x) {
			continue
		}
		v := x.Value().Data()
		buf := engine.Buffer{}
		switch d := v.(type) {
		case []float32:
			buf.F32 = d
		case []int64:
			buf.I64 = d
		}
		if err := m.Bind(x, buf); err != nil {
			t.Fatal(err)
		}
	}
	run := func() {
		if err := m.RunAll(); err != nil {
			t.Fatal(err)
		}
	}
	run()
	if allocs := testing.AllocsPerRun(5, run); allocs != 0 {
		t.Errorf("%v allocations a run, want 0", allocs)
	}
}

// Gorgonia's name for the sums that Backpropagate inserts is part of our
// compiler; a new version that renames it must not pass unseen.
func TestGradientSumsAreKnown(t *testing.T) {
	n := newTiny(t, tensor.Float32)
	p, err := engine.Compile(engine.Portable{}, n.outputs...)
	if err != nil {
		t.Fatal(err)
	}
	sums := 0
	for _, s := range p.Steps {
		if _, ok := s.Spec.(op.Add); ok {
			sums++
		}
	}
	forward := 2 // embedding: class and augmentation labels
	if sums <= forward {
		t.Errorf("%d additions in the program: the gradient sums are missing", sums)
	}
}
