package cpu

import (
	"math"
	"math/rand/v2"
	"testing"

	"gorgonia.org/tensor"

	"edm/internal/engine"
	"edm/internal/op"
)

// eachKernels runs a test body on every implementation that this machine has.
func eachKernels(t *testing.T, f func(t *testing.T, k *kernels)) {
	t.Helper()
	for _, k := range implementations() {
		t.Run(k.name, func(t *testing.T) { f(t, k) })
	}
}

// eachBackend is eachKernels with a backend of two threads.
func eachBackend(t *testing.T, f func(t *testing.T, b *Backend)) {
	t.Helper()
	eachKernels(t, func(t *testing.T, k *kernels) {
		b := newBackend(k, 2)
		defer b.Close()
		f(t, b)
	})
}

// normal returns n standard normal numbers.
func normal(seed uint64, n int) []float32 {
	r := rand.New(rand.NewPCG(seed, uint64(n)))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// near fails unless got is within tolerance of want, relative to the root mean
// square of want.
func near(t *testing.T, got []float32, want []float64, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d values, want %d", len(got), len(want))
	}
	var squares float64
	for _, v := range want {
		squares += v * v
	}
	rms := math.Sqrt(squares / float64(max(len(want), 1)))
	for i, v := range want {
		if d := math.Abs(float64(got[i]) - v); !(d <= tolerance*(rms+math.Abs(v))+1e-30) {
			t.Fatalf("element %d of %d is %v, want %v (rms %v)", i, len(want), got[i], v, rms)
		}
	}
}

// sameBits fails unless the slices are equal bit for bit.
func sameBits(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("%s: element %d is %v, want %v", what, i, got[i], want[i])
		}
	}
}

// problem is a call with its input values.
type problem struct {
	engine.Call
	in []engine.Buffer
}

// newProblem fills the inputs of spec with normal numbers.
func newProblem(t testing.TB, spec op.Spec, in ...tensor.Shape) problem {
	t.Helper()
	out, err := spec.Shape(in)
	if err != nil {
		t.Fatal(err)
	}
	p := problem{Call: engine.Call{Spec: spec, In: in, Out: out}}
	for i, s := range in {
		p.in = append(p.in, engine.Buffer{F32: normal(uint64(i+1), s.TotalSize())})
	}
	return p
}

// prepare returns the kernel and its buffers. Scratch memory and output start
// as NaN, so that what is read before it is written shows.
func (p problem) prepare(t testing.TB, b engine.Backend) (engine.Kernel, *engine.Args) {
	t.Helper()
	k, err := b.Kernel(p.Call)
	if err != nil {
		t.Fatal(err)
	}
	a := &engine.Args{
		Out:  engine.NewBuffer(engine.Float32, p.Out.TotalSize()),
		Work: engine.NewBuffer(engine.Float32, k.Workspace()),
		In:   p.in, Version: make([]uint64, len(p.in)),
	}
	for _, x := range [][]float32{a.Out.F32, a.Work.F32} {
		for i := range x {
			x[i] = float32(math.NaN())
		}
	}
	return k, a
}

// run returns the result on b.
func (p problem) run(t testing.TB, b engine.Backend) []float32 {
	t.Helper()
	k, a := p.prepare(t, b)
	k.Run(a)
	return a.Out.F32
}

// exact returns the result by definition in float64.
func (p problem) exact() []float64 {
	a := op.Args[float64]{
		Out: make([]float64, p.Out.TotalSize()), OutShape: p.Out, InShape: p.In,
		In: make([][]float64, len(p.in)), Whole: make([][]int64, len(p.in)),
	}
	for i, b := range p.in {
		a.Whole[i] = b.I64
		for _, v := range b.F32 {
			a.In[i] = append(a.In[i], float64(v))
		}
	}
	p.Spec.Eval64(&a)
	return a.Out
}

// one returns the problem of image n alone, for specs whose inputs with a
// leading dimension of the batch size are per image.
func (p problem) one(t testing.TB, n, batch int) problem {
	t.Helper()
	q := problem{Call: p.Call}
	q.In = nil
	for i, s := range p.In {
		b := p.in[i]
		if s[0] == batch {
			size := s.TotalSize() / batch
			s = s.Clone()
			s[0] = 1
			if b.F32 != nil {
				b.F32 = b.F32[n*size : (n+1)*size]
			} else {
				b.I64 = b.I64[n*size : (n+1)*size]
			}
		}
		q.In = append(q.In, s)
		q.in = append(q.in, b)
	}
	out, err := p.Spec.Shape(q.In)
	if err != nil {
		t.Fatal(err)
	}
	q.Out = out
	return q
}
