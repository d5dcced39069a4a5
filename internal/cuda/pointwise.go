//go:build gpu

package cuda

import (
	"fmt"
	"math/bits"

	"edm/internal/engine"
	"edm/internal/op"
	"edm/internal/rng"
)

// Kernels bound by memory move quads of four elements, by blocks of mapThreads
// threads. Grids are functions of shapes alone.
const (
	quad       = 4
	mapThreads = 256
	mapHeld    = 2    // quads of each operand that a thread of map_row holds at once
	mapBlocks  = 8192 // at most; threads of larger arrays take several turns
	maxRows    = 65535
)

// recipe is a kernel without scratch memory.
type recipe func(o operands) []launch

func (recipe) workspace() int                 { return 0 }
func (r recipe) launches(o operands) []launch { return r(o) }

// parts returns how many parts of the given size cover n.
func parts(n, size int) int { return (n + size - 1) / size }

// divisor is a number by which kernels divide integers below 2^31: the upper bits
// of a product.
type divisor struct{ factor, shift uint32 }

// newDivisor returns the divisor d, 1 <= d <= 2^31: with d <= 2^l, factor is the
// least integer above 2^(31+l)/d, off by a part in 2^l of itself at most, which
// no integer below 2^31 shows.
func newDivisor(d int) divisor {
	l := bits.Len(uint(d - 1))
	return divisor{uint32(uint64(1)<<(31+l)/uint64(d) + 1), uint32(31 + l)}
}

// indexable returns an error if a kernel's 31-bit index does not reach n things
// and the threads of the last block that have none.
func indexable(s op.Spec, n int, what string) error {
	const most = 1<<31 - 1<<12
	if n <= most {
		return nil
	}
	return fmt.Errorf("cuda: %v: %d %s, want at most %d: use a smaller microbatch", op.Op{Spec: s}, n, what, most)
}

// rowsFit returns an error if a grid does not have a row for every image.
func rowsFit(s op.Spec, n int) error {
	if n <= maxRows {
		return nil
	}
	return fmt.Errorf("cuda: %v: %d images, want at most %d: use a smaller microbatch", op.Op{Spec: s}, n, maxRows)
}

// mapLaunch launches a kernel of pointwise.cu on rows of size elements, of which
// a thread holds held quads at once.
func mapLaunch(name string, rows, size, held int, args ...any) launch {
	blocks := min(parts(size, quad*held*mapThreads), mapBlocks)
	return launch{
		module: "pointwise", name: name,
		grid: [3]int{blocks, rows, 1}, block: [3]int{mapThreads, 1, 1},
		args: args,
	}
}

// newFlat maps all elements of a call with the arguments of args, out and the
// number of elements, and then extra.
func newFlat(name string, c engine.Call, extra ...any) (kernel, error) {
	n := c.Out.TotalSize()
	return recipe(func(o operands) []launch {
		return []launch{mapLaunch(name, 1, n, mapHeld, append(inputs(o), append([]any{o.out, int64(n)}, extra...)...)...)}
	}), nil
}

// inputs returns the inputs as a launch's arguments.
func inputs(o operands) []any {
	args := make([]any, len(o.in))
	for i, p := range o.in {
		args[i] = p
	}
	return args
}

// newPerImage maps the elements of every image; the kernel's arguments are the
// inputs, the output and the elements of an image.
func newPerImage(name string, held int, s op.Spec, c engine.Call) (kernel, error) {
	n := c.Out[0]
	size := c.Out.TotalSize() / n
	return recipe(func(o operands) []launch {
		return []launch{mapLaunch(name, n, size, held, append(inputs(o), o.out, int64(size))...)}
	}), rowsFit(s, n)
}

func newSiLU(_ precision, _ op.SiLU, c engine.Call) (kernel, error) { return newFlat("silu", c) }

func newSiLUGrad(_ precision, _ op.SiLUGrad, c engine.Call) (kernel, error) {
	return newFlat("silu_grad", c)
}

func newAdd(_ precision, _ op.Add, c engine.Call) (kernel, error) { return newFlat("add", c) }

func newScale(_ precision, s op.Scale, c engine.Call) (kernel, error) {
	return newFlat("scale", c, float32(s.Factor))
}

func newSampleScale(_ precision, s op.SampleScale, c engine.Call) (kernel, error) {
	return newPerImage("sample_scale", mapHeld, s, c)
}

func newCombine(_ precision, s op.Combine, c engine.Call) (kernel, error) {
	return newPerImage("combine", 1, s, c)
}

func newSquaredErrorGrad(_ precision, s op.SquaredErrorGrad, c engine.Call) (kernel, error) {
	return newPerImage("squared_error_grad", mapHeld, s, c)
}

// copyRows copies size elements of each row from x, whose rows are strideX
// elements long, to y with strideY; x = 0 writes zeros.
func copyRows(rows int, x pointer, strideX int, y pointer, strideY, size int) launch {
	return mapLaunch("copy_rows", rows, size, mapHeld, x, y, int64(strideX), int64(strideY), int64(size))
}

func newConcat(_ precision, s op.Concat, c engine.Call) (kernel, error) {
	n := c.Out[0]
	a, b := c.In[0].TotalSize()/n, c.In[1].TotalSize()/n
	return recipe(func(o operands) []launch {
		return []launch{
			copyRows(n, o.in[0], a, o.out, a+b, a),
			copyRows(n, o.in[1], b, o.out.plus(a), a+b, b),
		}
	}), rowsFit(s, n)
}

func newNarrow(_ precision, s op.Narrow, c engine.Call) (kernel, error) {
	n, pixels := c.Out[0], c.Out[2]*c.Out[3]
	return recipe(func(o operands) []launch {
		return []launch{copyRows(n, o.in[0].plus(s.From*pixels), c.In[0][1]*pixels, o.out, s.Len*pixels, s.Len*pixels)}
	}), rowsFit(s, n)
}

func newWiden(_ precision, s op.Widen, c engine.Call) (kernel, error) {
	n, pixels := c.Out[0], c.Out[2]*c.Out[3]
	stride, from, size := s.Channels*pixels, s.From*pixels, c.In[0][1]*pixels
	return recipe(func(o operands) []launch {
		all := []launch{copyRows(n, o.in[0], size, o.out.plus(from), stride, size)}
		if from > 0 {
			all = append(all, copyRows(n, 0, 0, o.out, stride, from))
		}
		if rest := stride - from - size; rest > 0 {
			all = append(all, copyRows(n, 0, 0, o.out.plus(from+size), stride, rest))
		}
		return all
	}), rowsFit(s, n)
}

// newDropout makes its masks in registers: those of the definition, bit for bit.
func newDropout(_ precision, s op.Dropout, c engine.Call) (kernel, error) {
	n := c.Out[0]
	size := c.Out.TotalSize() / n
	return recipe(func(o operands) []launch {
		args := append(inputs(o), o.out, int64(size), uint32(s.Site*op.DropoutBlocks), uint32(rng.Dropout))
		l := mapLaunch("dropout", n, size, 1, args...)
		l.shared = siteBytes
		return []launch{l}
	}), rowsFit(s, n)
}
