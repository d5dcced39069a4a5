//go:build gpu

package cuda

import (
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"edm/internal/engine"
	"edm/internal/op"
	"edm/internal/ref"
	"edm/internal/testkit/drivertest"
	"edm/internal/testkit/optest"
)

// shared opens a backend of each precision at its first use; all tests of the
// process have it.
var shared = [...]func() (*Backend, error){
	fp32: sync.OnceValues(func() (*Backend, error) { return open(0, FP32) }),
	tf32: sync.OnceValues(func() (*Backend, error) { return open(0, TF32) }),
	bf16: sync.OnceValues(func() (*Backend, error) { return open(0, BF16) }),
}

// backend returns a backend on the first device, which the test needs.
func backend(t testing.TB, p precision) *Backend {
	t.Helper()
	b, err := shared[p]()
	drivertest.Need(t, err)
	return b
}

// chain is a program y = scale*(x+w), then z = silu(y): on the way an
// intermediate, an output that a later step reads, and two inputs.
type chain struct {
	*engine.Machine
	weights    *gorgonia.Node
	w, x, y, z []float32
}

const chainLen = 1000

// compileChain returns a chain's program with its inputs w and x and its outputs.
func compileChain(t *testing.T, b engine.Backend) (p *engine.Program, w, x, y, z *gorgonia.Node) {
	t.Helper()
	g := gorgonia.NewGraph()
	input := func(name string) *gorgonia.Node {
		return gorgonia.NewTensor(g, tensor.Float32, 1, gorgonia.WithShape(chainLen), gorgonia.WithName(name))
	}
	w, x = input("w"), input("x")
	build := op.Builder{}
	y = build.Scale(build.Add(x, w), 0.5)
	z = build.SiLU(y)
	must(t, build.Err)
	p, err := engine.Compile(b, y, z)
	must(t, err)
	return p, w, x, y, z
}

func newChain(t *testing.T, b engine.Backend) *chain {
	t.Helper()
	p, w, x, y, z := compileChain(t, b)
	c := &chain{weights: w, w: optest.Normal(1, chainLen), x: optest.Normal(2, chainLen), y: make([]float32, chainLen), z: make([]float32, chainLen)}
	var err error
	c.Machine, err = engine.NewMachine(p)
	must(t, err)
	for n, f := range map[*gorgonia.Node][]float32{w: c.w, x: c.x, y: c.y, z: c.z} {
		if err := c.Bind(n, engine.Buffer{F32: f}); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// bindW binds other weights.
func (c *chain) bindW(t *testing.T, w []float32) {
	t.Helper()
	must(t, c.Bind(c.weights, engine.Buffer{F32: w}))
}

// expect compares the outputs with the inputs as the host has them.
func (c *chain) expect(t *testing.T, what string, w, x []float32) {
	t.Helper()
	t.Log(what) // shows with a failure
	y := make([]float64, chainLen)
	for i := range y {
		y[i] = 0.5 * (float64(x[i]) + float64(w[i]))
	}
	optest.Near(t, c.y, y, 1e-6)
	ref.SiLU(y, y)
	optest.Near(t, c.z, y, 1e-6)
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// A program gives the same at its first run, which is checked, when it is
// captured and when it is replayed, with inputs that change between the runs and
// while one is under way.
func TestRuns(t *testing.T) {
	c := newChain(t, backend(t, fp32))
	for run := range 5 {
		must(t, c.Start())
		x := slices.Clone(c.x)
		for i := range c.x {
			c.x[i] = float32(run) - c.x[i]
		}
		if run%2 == 0 {
			must(t, c.Prefetch())
		}
		must(t, c.Wait())
		c.expect(t, "run", c.w, x)
	}
	steps := 0
	must(t, c.RunTimed(func(_ *engine.Step, d time.Duration) {
		if steps++; d < 0 {
			t.Errorf("a step took %v", d)
		}
	}))
	if n := len(c.Program().Steps); steps != n {
		t.Errorf("%d steps were timed, want %d", steps, n)
	}
	c.expect(t, "timed", c.w, c.x)
	must(t, c.Close())
}

// Mirrored slices are used where their counterparts are: the host's contents
// count only by Upload and Download. Bindings may go from one to another and back.
func TestMirroredRuns(t *testing.T) {
	b := backend(t, fp32)
	c := newChain(t, b)
	must(t, c.RunAll())
	flat := make([]float32, 3*chainLen) // two sets of weights, with a gap
	raw, ema := flat[:chainLen], flat[2*chainLen:]
	copy(raw, optest.Normal(3, chainLen))
	copy(ema, optest.Normal(4, chainLen))
	first, second := slices.Clone(raw), slices.Clone(ema)
	must(t, b.Mirror(flat), b.Mirror(c.z))
	if err := b.Mirror(flat[5:9]); err == nil {
		t.Error("a part of a mirrored slice was mirrored again")
	}
	clear(flat) // the counterpart stays
	for run, use := range [][]float32{raw, ema, raw, ema} {
		c.bindW(t, use)
		must(t, c.RunAll(), b.Download(c.z))
		want := first
		if run%2 == 1 {
			want = second
		}
		c.expect(t, "mirrored", want, c.x)
	}
	copy(raw, optest.Normal(5, chainLen))
	must(t, b.Upload(raw), b.Copy(ema, raw))
	c.bindW(t, ema)
	must(t, c.RunAll(), b.Download(c.z))
	c.expect(t, "copied on the device", raw, c.x)
	must(t, b.Clear(ema[:10]), b.Download(flat))
	if slices.ContainsFunc(ema[:10], func(v float32) bool { return v != 0 }) || ema[10] != raw[10] {
		t.Error("Clear of ten elements did not clear them, or more")
	}
	must(t, b.Release(flat), b.Release(c.z))
	c.bindW(t, raw)
	must(t, c.RunAll())
	c.expect(t, "released", raw, c.x)
	if err := b.Upload(raw); !errors.Is(err, errNotMirrored) {
		t.Errorf("upload of what is not mirrored: %v", err)
	}
	if err := b.Copy(raw, make([]float32, 3)); err == nil {
		t.Error("copied slices of different lengths")
	}
	must(t, c.Close())
}

// Adam, the norm and accumulation agree with their definition, for lengths on
// either side of the blocks.
func TestUpdater(t *testing.T) {
	b := backend(t, fp32)
	u := engine.Update{LR: 0.01, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, GradScale: 0.5, EMABeta: 0.95}
	for _, n := range []int{1, 31, 256, 257, 4097, 70000} {
		w, ema, m, v, g := optest.Normal(1, n), optest.Normal(2, n), make([]float32, n), make([]float32, n), make([]float32, n)
		flat := [][]float32{w, ema, m, v, g}
		var exact [4][]float64
		for i, f := range flat[:4] {
			must(t, b.Mirror(f))
			exact[i] = optest.Widened(f)
		}
		must(t, b.Mirror(g))
		for step := range 3 {
			copy(g, optest.Normal(uint64(3+step), n))
			must(t, b.Upload(g))
			u.Step = int64(step + 1)
			must(t, b.Adam(u, w, ema, m, v, g))
			ref.Adam(u, exact[0], exact[1], exact[2], exact[3], optest.Widened(g))
		}
		must(t, b.Accumulate(m, g))
		ref.Add(exact[2], exact[2], optest.Widened(g))
		must(t, b.Download(w), b.Download(ema), b.Download(m), b.Download(v))
		for i, f := range flat[:4] {
			optest.Near(t, f, exact[i], 1e-6)
		}
		first, err := b.SumSquares(g)
		must(t, err)
		if want := ref.SumSquares(optest.Widened(g)); math.Abs(first-want) > 1e-12*want {
			t.Errorf("sum of squares of %d: %v, want %v", n, first, want)
		}
		if again, err := b.SumSquares(g); err != nil || again != first {
			t.Errorf("sum of squares of %d: %v, then %v (%v)", n, first, again, err)
		}
		g[n-1] = float32(math.NaN())
		must(t, b.Upload(g))
		if s, err := b.SumSquares(g); err != nil || !math.IsNaN(s) {
			t.Errorf("sum of squares of %d with a NaN: %v (%v)", n, s, err)
		}
		for _, f := range flat {
			must(t, b.Release(f))
		}
	}
	if err := b.Adam(u, make([]float32, 3), nil, nil, nil, make([]float32, 3)); err == nil {
		t.Error("Adam on buffers of different lengths")
	}
	x := make([]float32, 3)
	if _, err := b.SumSquares(x); !errors.Is(err, errNotMirrored) {
		t.Errorf("sum of squares of what is not mirrored: %v", err)
	}
}

// Programs that the device cannot run are refused when they are compiled.
func TestRefusals(t *testing.T) {
	b := backend(t, fp32)
	g := gorgonia.NewGraph()
	x := gorgonia.NewTensor(g, tensor.Float64, 1, gorgonia.WithShape(3), gorgonia.WithName("x"))
	y, err := op.Apply(op.SiLU{Rank: 1}, x)
	must(t, err)
	if _, err := engine.Compile(b, y); err == nil || !strings.Contains(err.Error(), "only float32 graphs") {
		t.Errorf("a graph in float64: %v", err)
	}
	unknown := engine.Call{Spec: novel{op.SiLU{Rank: 1}}, In: []tensor.Shape{{3}}, Out: tensor.Shape{3}}
	if _, err := newKernel(target{precision: fp32}, unknown); err == nil || !strings.Contains(err.Error(), "novel") || !errors.Is(err, engine.ErrUnsupported) {
		t.Errorf("an operation without a kernel: %v", err)
	}
	if _, err := b.Kernel(unknown); err == nil {
		t.Error("there is a single kernel")
	}
	if _, err := b.modules.prepare(launch{module: "pointwise", name: "nothing"}, 0); err == nil || !strings.Contains(err.Error(), "nothing") {
		t.Errorf("a kernel that is not there: %v", err)
	}
	// Other processes may use the device too, so that what is free changes.
	total := b.device.Info().TotalMem
	var full *engine.OutOfMemory
	if _, err := b.alloc("a test", 1<<50); !errors.As(err, &full) || full.Planned != 1<<50 || full.Free <= 0 || full.Free > total {
		t.Errorf("a petabyte: %v on a device of %d bytes", err, total)
	}
	if _, err := Open(0, "fp8"); err == nil || !strings.Contains(err.Error(), "fp8") {
		t.Errorf("precision fp8: %v", err)
	}
	if _, err := Open(99, FP32); err == nil || !strings.Contains(err.Error(), "99") {
		t.Errorf("device 99: %v", err)
	}
}

// novel is an operation that no backend knows.
type novel struct{ op.SiLU }
