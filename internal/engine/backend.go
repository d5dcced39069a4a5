package engine

import (
	"errors"
	"fmt"
	"runtime"

	"gorgonia.org/tensor"

	"edm/internal/op"
)

// DType is the element type of a value.
type DType uint8

// The element types.
const (
	Float32 DType = iota
	Float64
	Int64
)

func (d DType) String() string { return [...]string{"float32", "float64", "int64"}[d] }

// Size returns the bytes of one element.
func (d DType) Size() int {
	if d == Float32 {
		return 4
	}
	return 8
}

// Buffer is a flat array; the slice of its element type is set, the others are
// nil.
type Buffer struct {
	F32 []float32
	F64 []float64
	I64 []int64
}

// NewBuffer returns n zeros.
func NewBuffer(d DType, n int) Buffer {
	switch d {
	case Float32:
		return Buffer{F32: make([]float32, n)}
	case Float64:
		return Buffer{F64: make([]float64, n)}
	default:
		return Buffer{I64: make([]int64, n)}
	}
}

// Len returns the number of elements.
func (b Buffer) Len() int { return len(b.F32) + len(b.F64) + len(b.I64) }

// DType returns the element type; that of an empty Buffer is Float32.
func (b Buffer) DType() DType {
	switch {
	case b.I64 != nil:
		return Int64
	case b.F64 != nil:
		return Float64
	}
	return Float32
}

// slice returns elements [at, at+n), with capacity cut to n.
func (b Buffer) slice(at, n int) Buffer {
	switch b.DType() {
	case Float64:
		return Buffer{F64: b.F64[at : at+n : at+n]}
	case Int64:
		return Buffer{I64: b.I64[at : at+n : at+n]}
	}
	return Buffer{F32: b.F32[at : at+n : at+n]}
}

// Call is one operation of a program with everything that is known before it
// runs.
type Call struct {
	Spec  op.Spec
	In    []tensor.Shape
	Out   tensor.Shape
	DType DType // of the output and the real inputs
}

// Args are the buffers of one run of a Kernel. Out may alias an input that the
// Spec's InPlace names.
type Args struct {
	Out  Buffer
	In   []Buffer
	Work Buffer // as many elements as Workspace asked for, contents undefined
	// Version numbers the contents of each input: if a kernel meets a number
	// again, 0 excepted, that input's contents are the same as then, and values computed
	// from them alone are still valid. 0 promises nothing.
	Version []uint64
}

// Kernel is one operation prepared for its shapes. It belongs to one step of
// one machine and may keep state; Run allocates nothing.
type Kernel interface {
	// Workspace returns the number of elements of scratch memory that Run wants.
	// It is part of the arena and alive during this step only.
	Workspace() int
	Run(a *Args)
}

// ErrUnsupported is the error of a program that the backend has no kernels for. The
// processor's backends have all of them.
var ErrUnsupported = errors.New("this device cannot compute it, the processor can")

// Backend prepares kernels.
type Backend interface {
	// Name identifies the set of kernels: equal names mean bit-equal results.
	Name() string
	Kernel(c Call) (Kernel, error)
	// Close stops the backend's threads; no kernel may run after it.
	Close() error
}

// Portable is the backend that evaluates every op by its definition in
// internal/ref, on the calling goroutine.
type Portable struct{}

// Name implements Backend.
func (Portable) Name() string { return "portable-" + runtime.GOARCH }

// Close implements Backend.
func (Portable) Close() error { return nil }

// Kernel implements Backend.
func (Portable) Kernel(c Call) (Kernel, error) {
	switch c.DType {
	case Float32:
		k := &portable[float32]{eval: c.Spec.Eval32, of: func(b Buffer) []float32 { return b.F32 }}
		k.init(c)
		return k, nil
	case Float64:
		k := &portable[float64]{eval: c.Spec.Eval64, of: func(b Buffer) []float64 { return b.F64 }}
		k.init(c)
		return k, nil
	}
	return nil, fmt.Errorf("engine: %v: no portable kernel for %v", op.Op{Spec: c.Spec}, c.DType)
}

type portable[T float32 | float64] struct {
	args op.Args[T]
	eval func(*op.Args[T])
	of   func(Buffer) []T
}

func (k *portable[T]) init(c Call) {
	k.args = op.Args[T]{
		In: make([][]T, len(c.In)), Whole: make([][]int64, len(c.In)),
		OutShape: c.Out, InShape: c.In,
	}
}

func (k *portable[T]) Workspace() int { return 0 }

func (k *portable[T]) Run(a *Args) {
	k.args.Out = k.of(a.Out)
	for i, b := range a.In {
		k.args.In[i], k.args.Whole[i] = k.of(b), b.I64
	}
	k.eval(&k.args)
}
