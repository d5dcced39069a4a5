package cpu

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"gorgonia.org/tensor"

	"edm/internal/engine"
	"edm/internal/op"
)

// opCase is a problem and the error that it may have, relative to the root mean
// square of the result.
type opCase struct {
	problem
	tolerance float64
	images    bool // results are per image
}

func filter(t testing.TB, taps ...float64) op.Filter {
	f, err := op.NewFilter(taps...)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// opCases returns all operations with fast kernels for images of c channels (a
// multiple of 4).
func opCases(t testing.TB, n, c, h, w int) []opCase {
	x, nc := tensor.Shape{n, c, h, w}, tensor.Shape{n, c}
	var cases []opCase
	add := func(images bool, spec op.Spec, in ...tensor.Shape) {
		cases = append(cases, opCase{newProblem(t, spec, in...), 3e-6, images})
	}
	add(true, op.SiLU{Rank: 4}, x)
	add(true, op.SiLUGrad{Rank: 4}, x, x)
	add(true, op.Add{Rank: 4}, x, x)
	add(true, op.Scale{Rank: 4, Factor: 0.3}, x)
	add(true, op.SampleScale{}, x, tensor.Shape{n})
	add(true, op.Combine{}, x, x, tensor.Shape{n}, tensor.Shape{n})
	add(true, op.SquaredError{}, x, x, tensor.Shape{n})
	add(true, op.SquaredErrorGrad{}, x, x, tensor.Shape{n}, tensor.Shape{n})
	add(true, op.Concat{}, x, tensor.Shape{n, 3, h, w})
	add(true, op.Narrow{From: 1, Len: c - 2}, x)
	add(true, op.Widen{From: 2, Channels: c + 5}, x)
	add(true, op.Widen{From: 0, Channels: c}, x)
	add(true, op.Pad{Width: 2}, x)
	add(true, op.Crop{Width: 3}, tensor.Shape{n, c, h + 6, w + 6})
	add(true, op.Modulate{}, x[1:2], tensor.Shape{n, 2 * c})
	add(true, op.Modulate{Shift: true}, x[1:2], tensor.Shape{n, 2 * c})
	add(false, op.ModulateParam{}, nc, tensor.Shape{n, 2 * c})
	add(true, op.ModulateData{}, nc, x[1:2])
	add(true, op.ModulateData{Shift: true}, nc, x[1:2])
	for _, f := range []op.Filter{filter(t, 1, 1), filter(t, 1, 2), filter(t, 1, 3, 3, 1), filter(t, 1, 0, 2, 3, 1, -1, 0, 1)} {
		add(true, op.Up{Filter: f, Gain: 4}, x)
		add(true, op.Down{Filter: f, Gain: 1}, tensor.Shape{n, c, 2 * h, 2 * w})
	}
	add(true, op.SumHW{Scale: 0.5}, x)
	add(true, op.Linear{Bias: true, Scale: 0.5}, nc, tensor.Shape{h * w, c}, tensor.Shape{h * w})
	add(true, op.LinearData{Scale: 0.5}, nc, tensor.Shape{c, h * w})
	add(false, op.LinearWeights{Scale: 0.5}, nc, tensor.Shape{n, h * w})
	cases = append(cases, normCases(t, n, c, h, w)...)
	return append(cases, attentionCases(t, n, c, h, w)...)
}

// normCases returns the group normalisation ops with true statistics and sums.
func normCases(t testing.TB, n, c, h, w int) []opCase {
	x := tensor.Shape{n, c, h, w}
	groups := c / 4
	stats := newProblem(t, op.GNStats{Groups: groups, Eps: 1e-3}, x)
	for i := range stats.in[0].F32 {
		stats.in[0].F32[i] += 3 // a mean that matters
	}
	cases := []opCase{{stats, 3e-6, true}}
	s := engine.Buffer{F32: rounded(stats.exact())}
	for i := range 4 {
		silu, perImage := i%2 == 1, i/2 == 1
		v := x[1:2]
		if perImage {
			v = x[:2]
		}
		apply := newProblem(t, op.GNApply{Groups: groups, SiLU: silu, PerImage: perImage}, x, stats.Out, v, v)
		apply.in[0], apply.in[1] = stats.in[0], s
		sums := newProblem(t, op.GNSums{Groups: groups, SiLU: silu, PerImage: perImage}, x, x, stats.Out, v, v)
		sums.in[1], sums.in[2] = stats.in[0], s
		data := newProblem(t, op.GNData{Groups: groups, SiLU: silu, PerImage: perImage}, x, x, stats.Out, v, v, sums.Out)
		data.in[1], data.in[2] = stats.in[0], s
		data.in[5].F32 = rounded(sums.exact())
		cases = append(cases, opCase{apply, 5e-6, true}, opCase{sums, 5e-6, true}, opCase{data, 5e-6, true})
	}
	return cases
}

// attentionCases returns the attention ops with true log-sum-exps and outputs.
func attentionCases(t testing.TB, n, c, h, w int) []opCase {
	return append(headCases(t, n, c, h, w, 1), headCases(t, n, c, h, w, 2)...)
}

// headCases is attentionCases for one number of heads.
func headCases(t testing.TB, n, c, h, w, heads int) []opCase {
	qkv := tensor.Shape{n, 3 * c, h, w}
	lse := newProblem(t, op.AttnLSE{Heads: heads}, qkv)
	out := newProblem(t, op.Attn{Heads: heads}, qkv, lse.Out)
	out.in[1].F32 = rounded(lse.exact())
	grad := newProblem(t, op.AttnGrad{Heads: heads}, out.Out, qkv, lse.Out, out.Out)
	grad.in[1], grad.in[2] = out.in[0], out.in[1]
	grad.in[3].F32 = rounded(out.exact())
	return []opCase{{lse, 3e-6, true}, {out, 5e-6, true}, {grad, 1e-5, true}}
}

func rounded(x []float64) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(v)
	}
	return y
}

func (c opCase) String() string { return fmt.Sprintf("%#v%v", c.Spec, c.Out) }

// TestWideHeads is attention as ADM has it: heads of 64 channels.
func TestWideHeads(t *testing.T) {
	eachBackend(t, func(t *testing.T, b *Backend) {
		for _, c := range headCases(t, 2, 192, 9, 13, 3) {
			t.Run(c.String(), func(t *testing.T) { near(t, c.run(t, b), c.exact(), c.tolerance) })
		}
	})
}

func TestOps(t *testing.T) {
	eachBackend(t, func(t *testing.T, b *Backend) {
		for _, s := range [][4]int{{1, 4, 1, 1}, {2, 4, 1, 3}, {3, 8, 5, 7}, {1, 12, 8, 8}, {2, 20, 7, 9}, {1, 36, 9, 19}, {2, 64, 16, 16}} {
			for _, c := range opCases(t, s[0], s[1], s[2], s[3]) {
				t.Run(c.String(), func(t *testing.T) { near(t, c.run(t, b), c.exact(), c.tolerance) })
			}
		}
	})
}

// allCases adds the convolutions to opCases.
func allCases(t testing.TB, n, c, h, w int) []opCase {
	cases := opCases(t, n, c, h, w)
	for _, kernel := range []int{1, 3} {
		for i, p := range convProblems(t, n, c, c+12, h, w, kernel, true) {
			cases = append(cases, opCase{p, 3e-6, i < 2})
		}
	}
	return cases
}

func TestBitsDoNotDependOnThreads(t *testing.T) {
	eachKernels(t, func(t *testing.T, k *kernels) {
		for _, c := range allCases(t, 3, 20, 9, 18) {
			one := newBackend(k, 1)
			want := c.run(t, one)
			for _, threads := range []int{2, 3, 7} {
				b := newBackend(k, threads)
				sameBits(t, fmt.Sprintf("%v with %d threads", c, threads), c.run(t, b), want)
				b.Close()
			}
		}
	})
}

func TestBitsDoNotDependOnBatch(t *testing.T) {
	const batch = 3
	eachBackend(t, func(t *testing.T, b *Backend) {
		for _, size := range [][3]int{{20, 9, 18}, {36, 17, 16}} {
			for _, c := range allCases(t, batch, size[0], size[1], size[2]) {
				if !c.images {
					continue
				}
				together := c.run(t, b)
				for _, n := range []int{0, 2} {
					alone := c.one(t, n, batch).run(t, b)
					sameBits(t, fmt.Sprintf("%v image %d alone", c, n), alone, row(together, n, batch))
				}
			}
		}
	})
}

func TestInstructionSetsAgree(t *testing.T) {
	var sets []*kernels
	for _, k := range implementations() {
		if k.name != "portable" {
			sets = append(sets, k)
		}
	}
	for _, c := range allCases(t, 2, 36, 17, 18) {
		var want []float32
		for _, k := range sets {
			b := newBackend(k, 2)
			got := c.run(t, b)
			if want != nil {
				sameBits(t, c.String(), got, want)
			}
			want = got
			b.Close()
		}
	}
}

func TestInPlace(t *testing.T) {
	eachBackend(t, func(t *testing.T, b *Backend) {
		for _, c := range allCases(t, 2, 8, 5, 7) {
			in, ok := c.Spec.(op.InPlacer)
			if !ok {
				continue
			}
			want := c.run(t, b)
			for _, i := range in.InPlace() {
				k, a := c.prepare(t, b)
				a.In = slices.Clone(a.In)
				a.In[i].F32 = slices.Clone(a.In[i].F32)
				a.Out = a.In[i]
				k.Run(a)
				sameBits(t, fmt.Sprintf("%v over input %d", c, i), a.Out.F32, want)
			}
		}
	})
}

func TestRunAllocatesNothing(t *testing.T) {
	eachBackend(t, func(t *testing.T, b *Backend) {
		for _, c := range allCases(t, 2, 8, 6, 6) {
			k, a := c.prepare(t, b)
			if n := testing.AllocsPerRun(5, func() { k.Run(a) }); n != 0 {
				t.Errorf("%v: %v allocations a run, want 0", c, n)
			}
		}
	})
}

func TestDropout(t *testing.T) {
	for _, x := range []tensor.Shape{{3, 4, 5, 7}, {2, 1, 1, 3}, {1, 17, 32, 31}} {
		for _, p := range []float32{0, 0.3, 0.999, 1} {
			d := newProblem(t, op.Dropout{Site: 2}, x, tensor.Shape{1}, tensor.Shape{1}, x[:1])
			d.in[1].F32[0] = p
			d.in[2] = engine.Buffer{I64: []int64{-5 << 35}}
			d.in[3] = engine.Buffer{I64: []int64{5, 6, 7 << 40}[:x[0]]}
			eachBackend(t, func(t *testing.T, b *Backend) {
				sameBits(t, "dropout", d.run(t, b), d.run(t, engine.Portable{}))
			})
		}
	}
}

func TestFloat64FallsBackToTheDefinition(t *testing.T) {
	b := New(2)
	defer b.Close()
	p := newProblem(t, op.SiLU{Rank: 1}, tensor.Shape{5})
	p.DType = engine.Float64
	k, err := b.Kernel(p.Call)
	if err != nil {
		t.Fatal(err)
	}
	a := &engine.Args{Out: engine.NewBuffer(engine.Float64, 5), In: []engine.Buffer{{F64: []float64{-2, -1, 0, 1, 2}}}}
	k.Run(a)
	for i, x := range a.In[0].F64 {
		if want := x / (1 + math.Exp(-x)); math.Abs(a.Out.F64[i]-want) > 1e-15 {
			t.Errorf("silu(%v) = %v, want %v", x, a.Out.F64[i], want)
		}
	}
}

// BenchmarkOps measures the operations other than convolution on one thread,
// for 64 channels of 32x32 pixels or, for attention, 128 of 16x16 and 6 heads of
// 64 channels at 32x32.
func BenchmarkOps(b *testing.B) {
	cases := normCases(b, 16, 64, 32, 32)
	cases = append(cases, attentionCases(b, 16, 128, 16, 16)...)
	cases = append(cases, headCases(b, 1, 384, 32, 32, 6)...)
	for _, f := range []op.Filter{filter(b, 1, 1), filter(b, 1, 3, 3, 1)} {
		cases = append(cases,
			opCase{problem: newProblem(b, op.Down{Filter: f, Gain: 1}, tensor.Shape{16, 64, 32, 32})},
			opCase{problem: newProblem(b, op.Up{Filter: f, Gain: 4}, tensor.Shape{16, 64, 16, 16})})
	}
	for _, c := range cases {
		b.Run(c.String(), func(b *testing.B) {
			backend := newBackend(implementations()[0], 1)
			defer backend.Close()
			k, a := c.prepare(b, backend)
			k.Run(a)
			for b.Loop() {
				k.Run(a)
			}
			perElement := b.Elapsed().Seconds() / float64(b.N) / float64(len(a.In[0].F32))
			b.ReportMetric(perElement*1e9, "ns/element")
		})
	}
}
