package optest

import (
	"fmt"
	"testing"

	"gorgonia.org/tensor"

	"edm/internal/engine"
	"edm/internal/op"
)

// Case is a problem and the error that it may have, relative to the root mean
// square of the result.
type Case struct {
	Problem
	Tolerance float64
	Images    bool // results are per image
}

func (c Case) String() string { return fmt.Sprintf("%#v%v", c.Spec, c.Out) }

// Sizes returns extents of images, N, C, H and W, for Cases.
func Sizes() [][4]int {
	return [][4]int{{1, 4, 1, 1}, {2, 4, 1, 3}, {3, 8, 5, 7}, {1, 12, 8, 8}, {2, 20, 7, 9}, {1, 36, 9, 19}, {2, 64, 16, 16}}
}

// Filter returns a resampling filter.
func Filter(t testing.TB, taps ...float64) op.Filter {
	t.Helper()
	f, err := op.NewFilter(taps...)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// Filters returns a filter of each length, one of them without symmetry.
func Filters(t testing.TB) []op.Filter {
	t.Helper()
	return []op.Filter{
		Filter(t, 1, 1), Filter(t, 1, 2), Filter(t, 1, 3, 3, 1), Filter(t, 1, 4, 9, 7, 4, 2), Filter(t, 1, 0, 2, 3, 1, -1, 0, 1),
	}
}

// list collects cases of one tolerance.
type list struct {
	t         testing.TB
	tolerance float64
	cases     []Case
}

func (l *list) add(images bool, spec op.Spec, in ...tensor.Shape) {
	l.t.Helper()
	l.cases = append(l.cases, Case{New(l.t, spec, in...), l.tolerance, images})
}

// Cases returns the operations on images of c channels, a multiple of 4, and the
// linear layers. Convolutions are not among them.
func Cases(t testing.TB, n, c, h, w int) []Case {
	t.Helper()
	l := &list{t: t, tolerance: 3e-6}
	l.pointwise(n, c, h, w)
	l.modulation(n, c)
	l.images(n, c, h, w)
	nc := tensor.Shape{n, c}
	l.add(true, op.SumHW{Scale: 0.5}, tensor.Shape{n, c, h, w})
	l.add(true, op.Linear{Bias: true, Scale: 0.5}, nc, tensor.Shape{h * w, c}, tensor.Shape{h * w})
	l.add(true, op.LinearData{Scale: 0.5}, nc, tensor.Shape{c, h * w})
	l.add(false, op.LinearWeights{Scale: 0.5}, nc, tensor.Shape{n, h * w})
	return append(append(l.cases, NormCases(t, n, c, h, w)...), AttentionCases(t, n, c, h, w)...)
}

func (l *list) pointwise(n, c, h, w int) {
	l.t.Helper()
	x, v := tensor.Shape{n, c, h, w}, tensor.Shape{n}
	l.add(true, op.SiLU{Rank: 4}, x)
	l.add(true, op.SiLUGrad{Rank: 4}, x, x)
	l.add(true, op.Add{Rank: 4}, x, x)
	l.add(true, op.Scale{Rank: 4, Factor: 0.3}, x)
	l.add(true, op.SampleScale{}, x, v)
	l.add(true, op.Combine{}, x, x, v, v)
	l.add(true, op.SquaredError{}, x, x, v)
	l.add(true, op.SquaredErrorGrad{}, x, x, v, v)
}

func (l *list) modulation(n, c int) {
	l.t.Helper()
	nc, v, m := tensor.Shape{n, c}, tensor.Shape{c}, tensor.Shape{n, 2 * c}
	l.add(true, op.Modulate{}, v, m)
	l.add(true, op.Modulate{Shift: true}, v, m)
	l.add(false, op.ModulateParam{}, nc, m)
	l.add(true, op.ModulateData{}, nc, v)
	l.add(true, op.ModulateData{Shift: true}, nc, v)
}

func (l *list) images(n, c, h, w int) {
	l.t.Helper()
	x := tensor.Shape{n, c, h, w}
	l.add(true, op.Concat{}, x, tensor.Shape{n, 3, h, w})
	l.add(true, op.Narrow{From: 1, Len: c - 2}, x)
	l.add(true, op.Widen{From: 2, Channels: c + 5}, x)
	l.add(true, op.Widen{From: 0, Channels: c}, x)
	l.add(true, op.Pad{Width: 2}, x)
	l.add(true, op.Crop{Width: 3}, tensor.Shape{n, c, h + 6, w + 6})
	for _, f := range Filters(l.t) {
		l.add(true, op.Up{Filter: f, Gain: 4}, x)
		l.add(true, op.Down{Filter: f, Gain: 1}, tensor.Shape{n, c, 2 * h, 2 * w})
	}
}

// VectorCases returns the operations that are small: on vectors, labels, logits
// and the statistics of feature maps.
func VectorCases(t testing.TB, n, c, h, w int) []Case {
	t.Helper()
	l := &list{t: t, tolerance: 3e-6}
	nc, label := tensor.Shape{n, c}, tensor.Shape{n}
	l.add(true, op.SiLU{Rank: 2}, nc)
	l.add(true, op.SiLUGrad{Rank: 2}, nc, nc)
	l.add(true, op.Add{Rank: 2}, nc, nc)
	l.add(false, op.Add{Rank: 1}, tensor.Shape{c}, tensor.Shape{c})
	l.add(true, op.Scale{Rank: 2, Factor: -2}, nc)
	l.add(false, op.SumN{}, nc)
	l.add(true, op.MeanHW{}, tensor.Shape{n, c, h, w})
	l.add(true, op.SpreadHW{H: h, W: w}, nc)
	for which := range 2 {
		l.add(false, op.GNParam{Which: which}, tensor.Shape{n, c, 2})
		l.add(true, op.GNParam{Which: which, PerImage: true}, tensor.Shape{n, c, 2})
	}
	l.add(true, op.CrossEntropy{}, nc, nc)
	l.add(true, op.CrossEntropyGrad{}, nc, nc, label)
	for i := range 4 {
		s := op.Positional{Channels: c, MaxPositions: 10000, Endpoint: i%2 == 1, SinFirst: i/2 == 1}
		l.cases = append(l.cases, Case{New(t, s, label).with(0, scaled(Normal(1, n), 300)), l.tolerance, true})
	}
	// The definition in float64 does not round the products that are angles.
	l.tolerance = 3e-5
	for _, sinFirst := range []bool{false, true} {
		l.cases = append(l.cases, Case{New(t, op.Fourier{SinFirst: sinFirst}, label, tensor.Shape{c + 1}), l.tolerance, true})
	}
	return l.cases
}

// scaled multiplies x in place.
func scaled(x []float32, f float32) []float32 {
	for i := range x {
		x[i] *= f
	}
	return x
}

// NormCases returns the group normalisation ops with true statistics and sums:
// the statistics, and then an application, sums and a gradient for each form.
func NormCases(t testing.TB, n, c, h, w int) []Case {
	t.Helper()
	x := tensor.Shape{n, c, h, w}
	groups := c / 4
	stats := New(t, op.GNStats{Groups: groups, Eps: 1e-3}, x)
	for i := range stats.Inputs[0].F32 {
		stats.Inputs[0].F32[i] += 3 // a mean that matters
	}
	cases := []Case{{stats, 3e-6, true}}
	values, s := stats.Inputs[0].F32, Rounded(stats.Exact())
	for i := range 4 {
		silu, perImage := i%2 == 1, i/2 == 1
		v := x[1:2]
		if perImage {
			v = x[:2]
		}
		apply := New(t, op.GNApply{Groups: groups, SiLU: silu, PerImage: perImage}, x, stats.Out, v, v).with(0, values).with(1, s)
		sums := New(t, op.GNSums{Groups: groups, SiLU: silu, PerImage: perImage}, x, x, stats.Out, v, v).with(1, values).with(2, s)
		data := New(t, op.GNData{Groups: groups, SiLU: silu, PerImage: perImage}, x, x, stats.Out, v, v, sums.Out).
			with(1, values).with(2, s).with(5, Rounded(sums.Exact()))
		cases = append(cases, Case{apply, 5e-6, true}, Case{sums, 5e-6, true}, Case{data, 5e-6, true})
	}
	return cases
}

// AttentionCases returns the attention ops with true log-sum-exps and outputs, of
// one head and of two.
func AttentionCases(t testing.TB, n, c, h, w int) []Case {
	t.Helper()
	return append(HeadCases(t, n, c, h, w, 1), HeadCases(t, n, c, h, w, 2)...)
}

// HeadCases is AttentionCases for one number of heads.
func HeadCases(t testing.TB, n, c, h, w, heads int) []Case {
	t.Helper()
	qkv := tensor.Shape{n, 3 * c, h, w}
	lse := New(t, op.AttnLSE{Heads: heads}, qkv)
	out := New(t, op.Attn{Heads: heads}, qkv, lse.Out).with(1, Rounded(lse.Exact()))
	grad := New(t, op.AttnGrad{Heads: heads}, out.Out, qkv, lse.Out, out.Out).
		with(1, out.Inputs[0].F32).with(2, out.Inputs[1].F32).with(3, Rounded(out.Exact()))
	return []Case{{lse, 3e-6, true}, {out, 5e-6, true}, {grad, 1e-5, true}}
}

// ConvProblems returns the three products of one convolution.
func ConvProblems(t testing.TB, n, cin, cout, h, w, kernel int, epilogue bool) []Problem {
	t.Helper()
	x, wt := tensor.Shape{n, cin, h, w}, tensor.Shape{cout, cin, kernel, kernel}
	g := tensor.Shape{n, cout, h, w}
	forward := New(t, op.Conv2D{Kernel: kernel, Scale: 1}, x, wt)
	if epilogue {
		forward = New(t, op.Conv2D{Kernel: kernel, Bias: true, SampleBias: true, Residual: true, Scale: 0.7}, x, wt,
			tensor.Shape{cout}, tensor.Shape{n, cout}, g)
	}
	return []Problem{
		forward,
		New(t, op.Conv2DData{Kernel: kernel, Scale: 0.7}, g, wt),
		New(t, op.Conv2DWeights{Kernel: kernel, Scale: 0.7}, x, g),
	}
}

// DropoutProblems returns dropouts of several sizes and probabilities, whose keys
// and counters use all of their bits. Results are those of the definition in
// float32, bit for bit.
func DropoutProblems(t testing.TB) []Problem {
	t.Helper()
	var all []Problem
	for _, x := range []tensor.Shape{{3, 4, 5, 7}, {2, 1, 1, 3}, {1, 17, 32, 31}} {
		for _, chance := range []float32{0, 0.3, 0.999, 1} {
			p := New(t, op.Dropout{Site: 2}, x, tensor.Shape{1}, tensor.Shape{1}, x[:1]).with(1, []float32{chance})
			p.Inputs[2] = engine.Buffer{I64: []int64{-5 << 35}}
			p.Inputs[3] = engine.Buffer{I64: []int64{5, 6, 7 << 40}[:x[0]]}
			all = append(all, p)
		}
	}
	return all
}
