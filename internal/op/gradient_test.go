package op_test

import (
	"fmt"
	"math"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"edm/internal/engine"
	"edm/internal/op"
	"edm/internal/rng"
)

// opCase is an operation with the shapes of its inputs.
type opCase struct {
	name string
	spec op.Spec
	in   []tensor.Shape
}

func filter(t testing.TB, taps ...float64) op.Filter {
	t.Helper()
	f, err := op.NewFilter(taps...)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func dims(d ...int) tensor.Shape { return d }

// cases lists every differentiable operation, at sizes of real layers and at
// awkward ones.
func cases(t testing.TB) []opCase {
	conv := func(k int, n, ci, co, h, w int) opCase {
		s := op.Conv2D{Kernel: k, Bias: true, SampleBias: true, Residual: true, Scale: math.Sqrt(0.5)}
		return opCase{fmt.Sprintf("conv%d-%dx%d-%dx%d", k, ci, co, h, w), s,
			[]tensor.Shape{dims(n, ci, h, w), dims(co, ci, k, k), dims(co), dims(n, co), dims(n, co, h, w)}}
	}
	norm := func(silu bool, n, c, g, h, w int) opCase {
		return opCase{fmt.Sprintf("groupnorm-%d-%d-silu=%v", c, g, silu), op.GNApply{Groups: g, SiLU: silu},
			[]tensor.Shape{dims(n, c, h, w), dims(n, g, 2), dims(c), dims(c)}}
	}
	adaptive := func(n, c, g, h, w int) opCase {
		return opCase{fmt.Sprintf("adaptivenorm-%d-%d", c, g), op.GNApply{Groups: g, SiLU: true, PerImage: true},
			[]tensor.Shape{dims(n, c, h, w), dims(n, g, 2), dims(n, c), dims(n, c)}}
	}
	attn := func(n, c, heads, h, w int) opCase {
		return opCase{fmt.Sprintf("attention-%d-heads%d-%dx%d", c, heads, h, w), op.Attn{Heads: heads},
			[]tensor.Shape{dims(n, 3*c, h, w), dims(n, heads, h*w)}}
	}
	return []opCase{
		conv(3, 2, 64, 64, 16, 16), conv(1, 2, 64, 32, 16, 16), conv(3, 1, 3, 5, 7, 9), conv(3, 2, 1, 1, 1, 1), conv(1, 1, 3, 1, 3, 2),
		{"conv-plain", op.Conv2D{Kernel: 3, Scale: 1}, []tensor.Shape{dims(2, 3, 8, 8), dims(4, 3, 3, 3)}},
		{"linear", op.Linear{Bias: true, Scale: 0.7}, []tensor.Shape{dims(4, 256), dims(128, 256), dims(128)}},
		{"linear-nobias", op.Linear{Scale: 2}, []tensor.Shape{dims(3, 9), dims(32, 9)}},
		{"silu2", op.SiLU{Rank: 2}, []tensor.Shape{dims(4, 256)}},
		{"silu4", op.SiLU{Rank: 4}, []tensor.Shape{dims(2, 3, 5, 7)}},
		{"add", op.Add{Rank: 2}, []tensor.Shape{dims(4, 5), dims(4, 5)}},
		{"scale", op.Scale{Rank: 4, Factor: -1.5}, []tensor.Shape{dims(2, 3, 4, 5)}},
		{"samplescale", op.SampleScale{}, []tensor.Shape{dims(3, 2, 4, 4), dims(3)}},
		{"combine", op.Combine{}, []tensor.Shape{dims(3, 2, 4, 4), dims(3, 2, 4, 4), dims(3), dims(3)}},
		{"squarederror", op.SquaredError{}, []tensor.Shape{dims(3, 3, 32, 32), dims(3, 3, 32, 32), dims(3)}},
		{"meanhw", op.MeanHW{}, []tensor.Shape{dims(2, 3, 4, 5)}},
		{"crossentropy", op.CrossEntropy{}, []tensor.Shape{dims(4, 7), dims(4, 7)}},
		norm(true, 2, 64, 16, 16, 16), norm(false, 2, 128, 32, 8, 8), norm(true, 3, 4, 1, 3, 5),
		adaptive(2, 192, 32, 16, 16), adaptive(3, 8, 2, 3, 5),
		{"modulate", op.Modulate{}, []tensor.Shape{dims(192), dims(3, 384)}},
		{"modulate-shift", op.Modulate{Shift: true}, []tensor.Shape{dims(192), dims(3, 384)}},
		attn(2, 64, 1, 8, 8), attn(1, 128, 1, 16, 16), attn(1, 48, 3, 5, 3), attn(1, 192, 3, 8, 8),
		{"concat", op.Concat{}, []tensor.Shape{dims(2, 3, 4, 5), dims(2, 6, 4, 5)}},
		{"pad", op.Pad{Width: 2}, []tensor.Shape{dims(2, 3, 16, 16)}},
		{"crop", op.Crop{Width: 1}, []tensor.Shape{dims(2, 3, 18, 7)}},
		{"narrow", op.Narrow{From: 0, Len: 3}, []tensor.Shape{dims(2, 6, 16, 16)}},
		{"narrow-middle", op.Narrow{From: 2, Len: 1}, []tensor.Shape{dims(3, 5, 3, 2)}},
		{"widen", op.Widen{From: 3, Channels: 6}, []tensor.Shape{dims(2, 3, 16, 16)}},
		{"down11", op.Down{Filter: filter(t, 1, 1), Gain: 1}, []tensor.Shape{dims(2, 3, 8, 6)}},
		{"up11", op.Up{Filter: filter(t, 1, 1), Gain: 4}, []tensor.Shape{dims(2, 3, 4, 3)}},
		{"down1331", op.Down{Filter: filter(t, 1, 3, 3, 1), Gain: 1}, []tensor.Shape{dims(2, 3, 8, 6)}},
		{"down11-64", op.Down{Filter: filter(t, 1, 1), Gain: 1}, []tensor.Shape{dims(2, 64, 32, 32)}},
		{"up11-64", op.Up{Filter: filter(t, 1, 1), Gain: 4}, []tensor.Shape{dims(2, 64, 16, 16)}},
		{"up1331", op.Up{Filter: filter(t, 1, 3, 3, 1), Gain: 4}, []tensor.Shape{dims(2, 3, 4, 3)}},
		{"dropout", op.Dropout{Site: 3}, []tensor.Shape{dims(3, 4, 5, 5), dims(1), dims(1), dims(3)}},
	}
}

// problem is the scalar sum(cotangent * op(inputs)) and its gradient graph.
type problem struct {
	spec    op.Spec
	in      [][]float64
	whole   [][]int64
	shapes  []tensor.Shape
	statsOf func(p *problem, x [][]float64) // recomputes dependent statistics
}

func newProblem(c opCase) *problem {
	p := &problem{spec: c.spec, shapes: c.in, statsOf: func(*problem, [][]float64) {}}
	operands, _ := c.spec.Signature()
	for i, s := range c.in {
		x, k := make([]float64, s.TotalSize()), make([]int64, s.TotalSize())
		rng.FillNormal(x, 5, rng.Init, uint64(i))
		for j := range k {
			k[j] = int64(1000*i + j)
		}
		if operands[i].Kind == op.Whole {
			x = nil
		} else {
			k = nil
		}
		p.in, p.whole = append(p.in, x), append(p.whole, k)
	}
	switch s := c.spec.(type) {
	case op.Dropout:
		p.in[1][0] = 0.3
	case op.GNApply:
		p.statsOf = func(p *problem, x [][]float64) {
			p.eval(op.GNStats{Groups: s.Groups, Eps: 1e-6}, x[1], x[:1], p.shapes[:1])
		}
	case op.Attn:
		p.statsOf = func(p *problem, x [][]float64) {
			p.eval(op.AttnLSE{Heads: s.Heads}, x[1], x[:1], p.shapes[:1])
		}
	}
	p.statsOf(p, p.in)
	return p
}

func (p *problem) eval(s op.Spec, out []float64, in [][]float64, shapes []tensor.Shape) tensor.Shape {
	shape, err := s.Shape(shapes)
	if err != nil {
		panic(err)
	}
	s.Eval64(&op.Args[float64]{Out: out, In: in, Whole: p.whole, OutShape: shape, InShape: shapes})
	return shape
}

// value returns sum(cot * op(x)), statistics recomputed.
func (p *problem) value(x [][]float64, cot []float64) float64 {
	p.statsOf(p, x)
	out := make([]float64, len(cot))
	p.eval(p.spec, out, x, p.shapes)
	var sum float64
	for i, v := range out {
		sum += v * cot[i]
	}
	return sum
}

// gradients builds the graph, differentiates it and runs it portably.
func (p *problem) gradients(t *testing.T, cot []float64) [][]float64 {
	t.Helper()
	g := gorgonia.NewGraph()
	nodes := make(gorgonia.Nodes, len(p.in))
	values := map[*gorgonia.Node]engine.Buffer{}
	for i, s := range p.shapes {
		d, b := tensor.Float64, engine.Buffer{F64: p.in[i]}
		if p.in[i] == nil {
			d, b = tensor.Int64, engine.Buffer{I64: p.whole[i]}
		}
		nodes[i] = gorgonia.NewTensor(g, d, len(s), gorgonia.WithShape(s...), gorgonia.WithName(fmt.Sprintf("in%d", i)))
		values[nodes[i]] = b
	}
	out, err := op.Apply(p.spec, nodes...)
	if err != nil {
		t.Fatal(err)
	}
	cotangent := gorgonia.NewTensor(g, tensor.Float64, out.Dims(), gorgonia.WithShape(out.Shape()...), gorgonia.WithName("cotangent"))
	values[cotangent] = engine.Buffer{F64: cot}
	var wrt gorgonia.Nodes
	index := []int{}
	for i, d := range p.spec.Differentiable() {
		if d {
			wrt, index = append(wrt, nodes[i]), append(index, i)
		}
	}
	grads, err := gorgonia.Backpropagate(gorgonia.Nodes{out}, gorgonia.Nodes{cotangent}, wrt)
	if err != nil {
		t.Fatal(err)
	}
	result := make([][]float64, len(p.in))
	for j, n := range grads {
		if n == cotangent { // the gradient of a sum is the cotangent itself
			result[index[j]] = cot
		}
	}
	var wanted gorgonia.Nodes
	for _, n := range grads {
		if n != cotangent {
			wanted = append(wanted, n)
		}
	}
	if len(wanted) == 0 {
		return result
	}
	prog, err := engine.Compile(engine.Portable{}, wanted...)
	if err != nil {
		t.Fatal(err)
	}
	m, err := engine.NewMachine(prog)
	if err != nil {
		t.Fatal(err)
	}
	for n, b := range values {
		if m.Uses(n) {
			if err := m.Bind(n, b); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := m.RunAll(); err != nil {
		t.Fatal(err)
	}
	for j, n := range grads {
		if n == cotangent {
			continue
		}
		v, err := m.Value(n)
		if err != nil {
			t.Fatal(err)
		}
		result[index[j]] = v.Data().([]float64)
	}
	return result
}

// The directional derivative of every op along random directions, one input at
// a time, equals its central difference in float64.
func TestGradientsByFiniteDifferences(t *testing.T) {
	for _, c := range cases(t) {
		t.Run(c.name, func(t *testing.T) {
			p := newProblem(c)
			shape, err := c.spec.Shape(c.in)
			if err != nil {
				t.Fatal(err)
			}
			cot := make([]float64, shape.TotalSize())
			rng.FillNormal(cot, 6, rng.Init, 0)
			grads := p.gradients(t, cot)
			for i, d := range c.spec.Differentiable() {
				if !d {
					continue
				}
				direction := make([]float64, len(p.in[i]))
				rng.FillNormal(direction, 7, rng.Init, uint64(i))
				var want, scale float64
				for j, v := range direction {
					want += v * grads[i][j]
					scale += v * v * grads[i][j] * grads[i][j]
				}
				const h = 1e-5
				move := func(f float64) float64 {
					x := append([][]float64(nil), p.in...)
					x[i] = make([]float64, len(p.in[i]))
					for j := range x[i] {
						x[i][j] = p.in[i][j] + f*direction[j]
					}
					if len(c.in) > 1 && !isInput(c.spec, 1) {
						x[1] = make([]float64, len(p.in[1]))
					}
					return p.value(x, cot)
				}
				got := (move(h) - move(-h)) / (2 * h)
				if tol := 1e-6 * math.Sqrt(scale); !(math.Abs(got-want) <= tol+1e-9) {
					t.Errorf("input %d: finite difference %.12g, gradient %.12g (tolerance %g)", i, got, want, tol)
				}
			}
		})
	}
}

// isInput reports whether operand i is free, not a statistic of the others.
func isInput(s op.Spec, i int) bool {
	switch s.(type) {
	case op.GNApply, op.Attn:
		return i != 1
	}
	return true
}
