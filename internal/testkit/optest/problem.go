// Package optest has the parts that tests of every backend share: problems for each op,
// over sizes that cross the blocks of kernels, and their results by definition.
package optest

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gorgonia.org/tensor"

	"edm/internal/engine"
	"edm/internal/op"
)

// Problem is a call with its input values.
type Problem struct {
	engine.Call
	Inputs []engine.Buffer
}

// New fills the inputs of spec with normal numbers.
func New(t testing.TB, spec op.Spec, in ...tensor.Shape) Problem {
	t.Helper()
	out, err := spec.Shape(in)
	if err != nil {
		t.Fatal(err)
	}
	p := Problem{Call: engine.Call{Spec: spec, In: in, Out: out}}
	for i, s := range in {
		p.Inputs = append(p.Inputs, engine.Buffer{F32: Normal(uint64(i+1), s.TotalSize())})
	}
	return p
}

// Prepare returns the kernel and its buffers. Scratch memory and output start as
// NaN, so that a read before the first write shows.
func (p Problem) Prepare(t testing.TB, b engine.Backend) (engine.Kernel, *engine.Args) {
	t.Helper()
	k, err := b.Kernel(p.Call)
	if err != nil {
		t.Fatal(err)
	}
	a := &engine.Args{
		Out:  engine.NewBuffer(engine.Float32, p.Out.TotalSize()),
		Work: engine.NewBuffer(engine.Float32, k.Workspace()),
		In:   p.Inputs, Version: make([]uint64, len(p.Inputs)),
	}
	for _, x := range [][]float32{a.Out.F32, a.Work.F32} {
		for i := range x {
			x[i] = float32(math.NaN())
		}
	}
	return k, a
}

// Run returns the result on b.
func (p Problem) Run(t testing.TB, b engine.Backend) []float32 {
	t.Helper()
	k, a := p.Prepare(t, b)
	k.Run(a)
	return a.Out.F32
}

// Exact returns the result by definition in float64.
func (p Problem) Exact() []float64 {
	a := op.Args[float64]{
		Out: make([]float64, p.Out.TotalSize()), OutShape: p.Out, InShape: p.In,
		In: make([][]float64, len(p.Inputs)), Whole: make([][]int64, len(p.Inputs)),
	}
	for i, b := range p.Inputs {
		a.Whole[i] = b.I64
		for _, v := range b.F32 {
			a.In[i] = append(a.In[i], float64(v))
		}
	}
	p.Spec.Eval64(&a)
	return a.Out
}

// One returns the problem of image n alone, for specs whose inputs with a leading
// dimension of the batch size are per image.
func (p Problem) One(t testing.TB, n, batch int) Problem {
	t.Helper()
	q := Problem{Call: p.Call}
	q.In = nil
	for i, s := range p.In {
		b := p.Inputs[i]
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
		q.Inputs = append(q.Inputs, b)
	}
	out, err := p.Spec.Shape(q.In)
	if err != nil {
		t.Fatal(err)
	}
	q.Out = out
	return q
}

// with returns the problem with other values of float32 input i.
func (p Problem) with(i int, x []float32) Problem {
	p.Inputs = slices.Clone(p.Inputs)
	p.Inputs[i] = engine.Buffer{F32: x}
	return p
}

// Normal returns n standard normal numbers.
func Normal(seed uint64, n int) []float32 {
	r := rand.New(rand.NewPCG(seed, uint64(n)))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// Rounded returns x in float32.
func Rounded(x []float64) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(v)
	}
	return y
}

// Widened returns x in float64.
func Widened(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

// Near fails unless got is within tolerance of want, relative to the root mean
// square of want.
func Near(t testing.TB, got []float32, want []float64, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d values, want %d", len(got), len(want))
	}
	size := rms(want)
	for i, v := range want {
		if d := math.Abs(float64(got[i]) - v); !(d <= tolerance*(size+math.Abs(v))+1e-30) {
			t.Fatalf("element %d of %d is %v, want %v (rms %v)", i, len(want), got[i], v, size)
		}
	}
}

// NearRows fails unless each element of got is within tolerance of want, relative
// to the root mean square of its row of that many elements and a quarter of that of
// all of want: for results whose rows differ in size and whose elements are sums,
// which may cancel.
func NearRows(t testing.TB, got []float32, want []float64, row int, tolerance float64) {
	t.Helper()
	if len(got) != len(want) || row < 1 || len(want)%row != 0 {
		t.Fatalf("%d values, want %d in rows of %d", len(got), len(want), row)
	}
	least := rms(want) / 4
	for at := 0; at < len(want); at += row {
		size := rms(want[at:at+row]) + least
		for i := at; i < at+row; i++ {
			if d := math.Abs(float64(got[i]) - want[i]); !(d <= tolerance*size) {
				t.Fatalf("element %d of %d is %v, want %v: the error is %.2e of its row's size", i, len(want), got[i], want[i], d/size)
			}
		}
	}
}

// rms returns the root mean square; 0 of nothing.
func rms(x []float64) float64 {
	var squares float64
	for _, v := range x {
		squares += v * v
	}
	return math.Sqrt(squares / float64(max(len(x), 1)))
}

// SameBits fails unless the slices are equal bit for bit.
func SameBits(t testing.TB, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("%s: element %d is %v, want %v", what, i, got[i], want[i])
		}
	}
}
