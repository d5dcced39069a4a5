package cpu

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"gorgonia.org/tensor"

	"edm/internal/engine"
	"edm/internal/op"
	"edm/internal/testkit/optest"
)

// TestWideHeads is attention as ADM has it: heads of 64 channels.
func TestWideHeads(t *testing.T) {
	eachBackend(t, func(t *testing.T, b *Backend) {
		for _, c := range optest.HeadCases(t, 2, 192, 9, 13, 3) {
			t.Run(c.String(), func(t *testing.T) { optest.Near(t, c.Run(t, b), c.Exact(), c.Tolerance) })
		}
	})
}

func TestOps(t *testing.T) {
	eachBackend(t, func(t *testing.T, b *Backend) {
		for _, s := range optest.Sizes() {
			cases := append(optest.Cases(t, s[0], s[1], s[2], s[3]), optest.VectorCases(t, s[0], s[1], s[2], s[3])...)
			for _, c := range cases {
				t.Run(c.String(), func(t *testing.T) { optest.Near(t, c.Run(t, b), c.Exact(), c.Tolerance) })
			}
		}
	})
}

// allCases adds the convolutions to optest.Cases.
func allCases(t testing.TB, n, c, h, w int) []optest.Case {
	cases := optest.Cases(t, n, c, h, w)
	for _, kernel := range []int{1, 3} {
		for i, p := range optest.ConvProblems(t, n, c, c+12, h, w, kernel, true) {
			cases = append(cases, optest.Case{Problem: p, Tolerance: 3e-6, Images: i < 2})
		}
	}
	return cases
}

func TestBitsDoNotDependOnThreads(t *testing.T) {
	eachKernels(t, func(t *testing.T, k *kernels) {
		for _, c := range allCases(t, 3, 20, 9, 18) {
			one := newBackend(k, 1)
			want := c.Run(t, one)
			for _, threads := range []int{2, 3, 7} {
				b := newBackend(k, threads)
				optest.SameBits(t, fmt.Sprintf("%v with %d threads", c, threads), c.Run(t, b), want)
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
				if !c.Images {
					continue
				}
				together := c.Run(t, b)
				for _, n := range []int{0, 2} {
					alone := c.One(t, n, batch).Run(t, b)
					optest.SameBits(t, fmt.Sprintf("%v image %d alone", c, n), alone, row(together, n, batch))
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
			got := c.Run(t, b)
			if want != nil {
				optest.SameBits(t, c.String(), got, want)
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
			want := c.Run(t, b)
			for _, i := range in.InPlace() {
				k, a := c.Prepare(t, b)
				a.In = slices.Clone(a.In)
				a.In[i].F32 = slices.Clone(a.In[i].F32)
				a.Out = a.In[i]
				k.Run(a)
				optest.SameBits(t, fmt.Sprintf("%v over input %d", c, i), a.Out.F32, want)
			}
		}
	})
}

func TestRunAllocatesNothing(t *testing.T) {
	eachBackend(t, func(t *testing.T, b *Backend) {
		for _, c := range allCases(t, 2, 8, 6, 6) {
			k, a := c.Prepare(t, b)
			if n := testing.AllocsPerRun(5, func() { k.Run(a) }); n != 0 {
				t.Errorf("%v: %v allocations a run, want 0", c, n)
			}
		}
	})
}

func TestDropout(t *testing.T) {
	for _, d := range optest.DropoutProblems(t) {
		want := d.Run(t, engine.Portable{})
		eachBackend(t, func(t *testing.T, b *Backend) { optest.SameBits(t, "dropout", d.Run(t, b), want) })
	}
}

func TestFloat64FallsBackToTheDefinition(t *testing.T) {
	b := New(2)
	defer b.Close()
	p := optest.New(t, op.SiLU{Rank: 1}, tensor.Shape{5})
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
	cases := optest.NormCases(b, 16, 64, 32, 32)
	cases = append(cases, optest.AttentionCases(b, 16, 128, 16, 16)...)
	cases = append(cases, optest.HeadCases(b, 1, 384, 32, 32, 6)...)
	for _, f := range []op.Filter{optest.Filter(b, 1, 1), optest.Filter(b, 1, 3, 3, 1)} {
		cases = append(cases,
			optest.Case{Problem: optest.New(b, op.Down{Filter: f, Gain: 1}, tensor.Shape{16, 64, 32, 32})},
			optest.Case{Problem: optest.New(b, op.Up{Filter: f, Gain: 4}, tensor.Shape{16, 64, 16, 16})})
	}
	for _, c := range cases {
		b.Run(c.String(), func(b *testing.B) {
			backend := newBackend(implementations()[0], 1)
			defer backend.Close()
			k, a := c.Prepare(b, backend)
			k.Run(a)
			for b.Loop() {
				k.Run(a)
			}
			perElement := b.Elapsed().Seconds() / float64(b.N) / float64(len(a.In[0].F32))
			b.ReportMetric(perElement*1e9, "ns/element")
		})
	}
}
