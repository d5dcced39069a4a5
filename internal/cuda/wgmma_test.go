//go:build gpu

package cuda

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"edm/internal/engine"
	"edm/internal/op"
	"edm/internal/testkit/drivertest"
	"edm/internal/testkit/optest"
)

// wgmmaBackend returns a backend that was asked for the matrix products of Hopper's
// warpgroups.
func wgmmaBackend(t *testing.T) *Backend {
	t.Helper()
	t.Setenv(wgmmaVariable, "1")
	b, err := open(0, BF16)
	drivertest.Need(t, err)
	t.Cleanup(func() { must(t, b.Close()) })
	return b
}

// TestWGMMAIsAsked: the products are used in bf16, where the device has them, and
// only when asked for; the kernels' name says so, since their sums round differently.
func TestWGMMAIsAsked(t *testing.T) {
	b := wgmmaBackend(t)
	if want := hasWGMMA(b.device.Info()); b.wgmma != want {
		t.Errorf("asked for on %v: used is %t, want %t", b.device.Info(), b.wgmma, want)
	}
	if got, want := strings.HasSuffix(b.Name(), "-wgmma"), b.wgmma; got != want {
		t.Errorf("the kernels are %q, used is %t", b.Name(), want)
	}
	if to := targetOf(fp32, b.device.Info()); to.wgmma {
		t.Error("used in fp32")
	}
	must(t, os.Unsetenv(wgmmaVariable))
	if to := targetOf(bf16, b.device.Info()); to.wgmma {
		t.Error("used without being asked for")
	}
}

// residualBlock is a program y = conv(silu(conv(x, v)), w) + x and its gradients.
func residualBlock(t *testing.T) (inputs, outputs gorgonia.Nodes) {
	t.Helper()
	const n, c, size = 2, 24, 6
	g := gorgonia.NewGraph()
	input := func(name string, shape ...int) *gorgonia.Node {
		x := gorgonia.NewTensor(g, tensor.Float32, len(shape), gorgonia.WithShape(shape...), gorgonia.WithName(name))
		inputs = append(inputs, x)
		return x
	}
	x, v, w := input("x", n, c, size, size), input("v", 2*c, c, 3, 3), input("w", c, 2*c, 1, 1)
	build := op.Builder{}
	h := build.SiLU(build.Apply(op.Conv2D{Kernel: 3, Scale: 0.1}, x, v))
	y := build.Apply(op.Conv2D{Kernel: 1, Residual: true, Scale: 0.5}, h, w, x)
	must(t, build.Err)
	grads, err := gorgonia.Backpropagate(gorgonia.Nodes{y}, gorgonia.Nodes{input("g", n, c, size, size)}, gorgonia.Nodes{x, v, w})
	must(t, err)
	return inputs, append(gorgonia.Nodes{y}, grads...)
}

// blockMachine returns a machine of residualBlock, with its inputs bound.
func blockMachine(t *testing.T, b engine.Backend, inputs, outputs gorgonia.Nodes) *engine.Machine {
	t.Helper()
	p, err := engine.Compile(b, outputs...)
	must(t, err)
	m, err := engine.NewMachine(p)
	must(t, err)
	for i, node := range inputs {
		must(t, m.Bind(node, engine.Buffer{F32: optest.Normal(uint64(i), node.Shape().TotalSize())}))
	}
	return m
}

// results returns what a machine computed.
func results(t *testing.T, m *engine.Machine, outputs gorgonia.Nodes) [][]float32 {
	t.Helper()
	var all [][]float32
	for _, node := range outputs {
		v, err := m.Value(node)
		must(t, err)
		all = append(all, slices.Clone(v.Data().([]float32)))
	}
	return all
}

// TestWGMMAPrograms: a program gives the same bits launch by launch, timed, and as a
// graph for each choice of memory, of which there are more than it keeps. Its tensor
// maps are given back.
func TestWGMMAPrograms(t *testing.T) {
	b := wgmmaBackend(t)
	inputs, outputs := residualBlock(t)
	portable := blockMachine(t, engine.Portable{}, inputs, outputs)
	must(t, portable.RunAll())
	exact := results(t, portable, outputs)
	const weights = 2
	n := inputs[weights].Shape().TotalSize()
	choices := slices.Repeat(optest.Normal(weights, n), maxGraphs+2)
	var free [2]int64
	for turn := range free {
		must(t, b.Mirror(choices))
		m := blockMachine(t, b, inputs, outputs)
		must(t, m.RunAll())
		want := results(t, m, outputs)
		for i, got := range want {
			optest.Near(t, got, optest.Widened(exact[i]), loosely(bf16))
		}
		same := func(run func() error) {
			t.Helper()
			must(t, run())
			for i, got := range results(t, m, outputs) {
				optest.SameBits(t, outputs[i].String(), got, want[i])
			}
		}
		same(func() error { return m.RunTimed(func(*engine.Step, time.Duration) {}) })
		for at := 0; at < len(choices); at += n {
			must(t, m.Bind(inputs[weights], engine.Buffer{F32: choices[at : at+n]}))
			same(m.RunAll)
		}
		must(t, m.Close(), b.Release(choices))
		var err error
		free[turn], err = b.device.FreeMem()
		must(t, err)
	}
	// A real driver's memory comes in larger pieces, and others take of it too.
	if emulated := strings.Contains(b.String(), "emulated"); emulated && free[0] != free[1] {
		t.Errorf("%d bytes are free after a program, %d after another like it", free[0], free[1])
	}
}

// TestTensorMapRefused: a map that the driver cannot make names its kernel.
func TestTensorMapRefused(t *testing.T) {
	b := backend(t, bf16)
	crooked := tensorMap{at: 8, extents: [4]int{8, 1, 1, 1}, box: [4]int{hopperStep, 1, 1, 1}}
	l := &ready{launch: launch{module: "m", name: "k", args: []any{int32(1), crooked}}}
	if at, err := b.place([]*ready{l}); at != 0 || err == nil || !strings.Contains(err.Error(), "argument 1 of kernel m.k") {
		t.Errorf("memory %#x, error %v, want one that names the kernel and the argument", at, err)
	}
}
