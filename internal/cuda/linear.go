//go:build gpu

package cuda

import (
	"edm/internal/engine"
	"edm/internal/op"
)

// The sizes that kernels/linear.cu was written for.
const (
	linearTile    = 32 // rows and columns of a block
	linearThreads = 128
	linearShared  = 4 * 3 * 2 * 32 * 34 // stages of two panels of 32 terms, 34 elements apart
)

// matrix says how a factor lies in memory: the distances between its rows (of B:
// columns) and between the terms of the sum.
type matrix struct{ outer, step int }

// linear is a product C [rows][columns] = scale * A B, plus a bias for each column
// where there is one.
type linear struct {
	precision            precision
	rows, columns, depth int
	a, b                 matrix
	first, second, bias  int // the inputs that are A, B and the bias; -1: none
	scale                float32
}

// newLinear is y [n,out] = scale x w^T + b.
func newLinear(p precision, s op.Linear, c engine.Call) (kernel, error) {
	in, bias := c.In[0][1], -1
	if s.Bias {
		bias = 2
	}
	return &linear{
		precision: p, rows: c.Out[0], columns: c.Out[1], depth: in,
		a: matrix{in, 1}, b: matrix{in, 1},
		first: 0, second: 1, bias: bias, scale: float32(s.Scale),
	}, indexable(s, c.Out.TotalSize(), "elements of the result")
}

// newLinearData is dx [n,in] = scale g w.
func newLinearData(p precision, s op.LinearData, c engine.Call) (kernel, error) {
	in, out := c.Out[1], c.In[0][1]
	return &linear{
		precision: p, rows: c.Out[0], columns: in, depth: out,
		a: matrix{out, 1}, b: matrix{1, in},
		first: 0, second: 1, bias: -1, scale: float32(s.Scale),
	}, indexable(s, c.Out.TotalSize(), "elements of the result")
}

// newLinearWeights is dw [out,in] = scale g^T x, with x before g among the inputs.
func newLinearWeights(p precision, s op.LinearWeights, c engine.Call) (kernel, error) {
	out, in := c.Out[0], c.Out[1]
	return &linear{
		precision: p, rows: out, columns: in, depth: c.In[0][0],
		a: matrix{1, out}, b: matrix{1, in},
		first: 1, second: 0, bias: -1, scale: float32(s.Scale),
	}, indexable(s, c.Out.TotalSize(), "elements of the result")
}

func (k *linear) workspace() int { return 0 }

func (k *linear) launches(o operands) []launch {
	var bias pointer
	if k.bias >= 0 {
		bias = o.in[k.bias]
	}
	blocks := parts(k.rows, linearTile) * parts(k.columns, linearTile)
	return []launch{{
		module: "linear", name: "linear_" + k.precision.suffix(),
		grid: [3]int{blocks, 1, 1}, block: [3]int{linearThreads, 1, 1}, shared: linearShared,
		args: []any{
			o.out, o.in[k.first], o.in[k.second], bias, int32(k.rows), int32(k.columns), int32(k.depth),
			int32(k.a.outer), int32(k.a.step), int32(k.b.step), int32(k.b.outer), k.scale,
		},
	}}
}
