//go:build gpu

package cuda

import (
	"edm/internal/engine"
	"edm/internal/op"
)

// The threads of a block that sum a row of a matrix, its columns, an image, or
// have a row of logits.
const (
	rowThreads    = 256
	columnThreads = 8 // of each of 32 columns
	imageThreads  = 512
	logitRows     = 4
)

// rowsLaunch launches a kernel that sums rows of size elements, sums of them a
// row: 32 to 256 threads a row, about four quads each, and as many rows in a
// block as fill it.
func rowsLaunch(module, name string, rows, size, sums int, args ...any) launch {
	x := rowWidth(size)
	y := rowThreads / x
	return launch{
		module: module, name: name,
		grid: [3]int{parts(rows, y), 1, 1}, block: [3]int{x, y, 1},
		shared: 4 * sums * rowThreads / 32,
		args:   args,
	}
}

// rowWidth returns the threads that have a row of size elements.
func rowWidth(size int) int {
	x := 32
	for x < rowThreads && 4*quad*x < size {
		x *= 2
	}
	return x
}

// columnsLaunch sums n rows of x, stride elements apart, in each of c columns,
// step elements apart; with m it weighs them by 1+m.
func columnsLaunch(x, m, out pointer, n, c, stride, step int) launch {
	y := min(n, columnThreads)
	return launch{
		module: "reduce", name: "sum_columns",
		grid: [3]int{parts(c, 32), 1, 1}, block: [3]int{32, y, 1},
		shared: 8 * 32 * y,
		args:   []any{x, m, out, int32(n), int32(c), int64(stride), int32(step)},
	}
}

// newSumMaps sums the pixels of each feature map.
func newSumMaps(s op.Spec, c engine.Call, scale float32) (kernel, error) {
	x := c.In[0]
	maps, pixels := x[0]*x[1], x[2]*x[3]
	return recipe(func(o operands) []launch {
		return []launch{rowsLaunch("reduce", "sum_maps", maps, pixels, 1, o.in[0], o.out, int32(maps), int32(pixels), scale)}
	}), indexable(s, max(maps, pixels), "feature maps or pixels")
}

func newSumHW(_ precision, s op.SumHW, c engine.Call) (kernel, error) {
	return newSumMaps(s, c, float32(s.Scale))
}

func newMeanHW(_ precision, s op.MeanHW, c engine.Call) (kernel, error) {
	return newSumMaps(s, c, 1/float32(c.In[0][2]*c.In[0][3]))
}

func newSpreadHW(_ precision, s op.SpreadHW, c engine.Call) (kernel, error) {
	maps, pixels := c.Out[0]*c.Out[1], s.H*s.W
	quads := parts(pixels, quad)
	d, scale := newDivisor(quads), 1/float32(pixels)
	return recipe(func(o operands) []launch {
		return []launch{{
			module: "reduce", name: "spread_maps",
			grid: [3]int{parts(maps*quads, mapThreads), 1, 1}, block: [3]int{mapThreads, 1, 1},
			args: []any{o.in[0], o.out, int32(maps), int32(pixels), d.factor, d.shift, scale},
		}}
	}), indexable(s, maps*quads, "quads")
}

func newSumN(_ precision, s op.SumN, c engine.Call) (kernel, error) {
	n, columns := c.In[0][0], c.In[0][1]
	return recipe(func(o operands) []launch {
		return []launch{columnsLaunch(o.in[0], 0, o.out, n, columns, columns, 1)}
	}), indexable(s, columns, "columns")
}

func newSquaredError(_ precision, s op.SquaredError, c engine.Call) (kernel, error) {
	n := c.Out[0]
	size := c.In[0].TotalSize() / n
	return recipe(func(o operands) []launch {
		return []launch{{
			module: "reduce", name: "squared_error",
			grid: [3]int{n, 1, 1}, block: [3]int{imageThreads, 1, 1},
			shared: 4 * imageThreads / 32,
			args:   append(inputs(o), o.out, int64(size)),
		}}
	}), indexable(s, n, "images")
}

// newLogits launches a kernel that gives each row of logits [n,k] a warp.
func newLogits(name string, s op.Spec, c engine.Call) (kernel, error) {
	n, k := c.In[0][0], c.In[0][1]
	return recipe(func(o operands) []launch {
		return []launch{{
			module: "reduce", name: name,
			grid: [3]int{parts(n, logitRows), 1, 1}, block: [3]int{32, logitRows, 1},
			args: append(inputs(o), o.out, int32(n), int32(k)),
		}}
	}), indexable(s, max(n, k), "rows or logits")
}

func newCrossEntropy(_ precision, s op.CrossEntropy, c engine.Call) (kernel, error) {
	return newLogits("cross_entropy", s, c)
}

func newCrossEntropyGrad(_ precision, s op.CrossEntropyGrad, c engine.Call) (kernel, error) {
	return newLogits("cross_entropy_grad", s, c)
}
