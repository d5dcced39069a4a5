// Package engine runs Gorgonia expression graphs built from the project's ops.
//
// Compile turns the nodes that are wanted into a Program: a topological order
// restricted to what they need, the lifetime of every intermediate value, and
// one arena in which values that never live together share memory. A Machine
// runs a Program on a Backend; it implements gorgonia.VM, allocates nothing
// per run, and gives the same bits every time.
package engine

import (
	"fmt"
	"reflect"
	"strings"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"edm/internal/op"
)

// Step is one operation of a Program. Values are numbered.
type Step struct {
	Call
	Inputs []int
	Output int
	Work   Span // scratch memory in the arena
	Again  bool // computes a forgotten value once more
}

// Span is a range of arena elements.
type Span struct{ At, Len int }

// value is an input, an intermediate or an output of a Program.
type value struct {
	node  *gorgonia.Node
	shape tensor.Shape
	dtype DType
	role  Role
	span  Span // in the arena, for intermediates that are there
	first int  // step that writes it
	last  int  // last step that reads it
	kept  int  // last step with it in the arena
	alias int  // value whose memory it overwrites, or -1
}

// present reports whether the arena has a place for the value.
func (v *value) present() bool { return v.role == Intermediate && v.kept != Absent }

// Program is a compiled graph. It is immutable.
type Program struct {
	Steps   []Step
	DType   DType
	arena   int // elements
	values  []value
	pieces  []Piece // of the layout
	places  []Span  // of the pieces
	ids     map[*gorgonia.Node]int
	backend Backend
}

// Compile compiles the nodes that the outputs need for a backend. Inputs are the leaves
// reached; they and the outputs are memory of the caller (Machine.Bind), all
// else lies in the arena. The graph must hold ops of internal/op and Gorgonia's
// own gradient sums, in one float type.
func Compile(b Backend, outputs ...*gorgonia.Node) (*Program, error) {
	return CompileForgetting(b, Forgetting{}, outputs...)
}

// number gives every value that the outputs need its number, in creation
// order, which is topological.
func (p *Program) number(outputs gorgonia.Nodes) error {
	needed := map[*gorgonia.Node]bool{}
	var visit func(n *gorgonia.Node)
	visit = func(n *gorgonia.Node) {
		if needed[n] {
			return
		}
		needed[n] = true
		for _, c := range op.Children(n) {
			visit(c)
		}
	}
	for _, n := range outputs {
		visit(n)
	}
	real := -1
	for _, n := range outputs[0].Graph().AllNodes() {
		if !needed[n] {
			continue
		}
		d, err := dtype(n)
		if err != nil {
			return err
		}
		if d != Int64 {
			if real >= 0 && DType(real) != d {
				return fmt.Errorf("engine: compile: %v is %v in a graph of %v", n, d, DType(real))
			}
			real = int(d)
		}
		v := value{node: n, shape: n.Shape().Clone(), dtype: d, alias: -1, last: -1}
		if n.Op() == nil {
			v.role = Input
		}
		p.ids[n] = len(p.values)
		p.values = append(p.values, v)
	}
	p.DType = DType(max(real, 0))
	for _, n := range outputs {
		v := &p.values[p.ids[n]]
		if v.role == Input {
			return fmt.Errorf("engine: compile: output %v is an input", n)
		}
		v.role = Output
	}
	return nil
}

func dtype(n *gorgonia.Node) (DType, error) {
	switch n.Dtype() {
	case tensor.Float32:
		return Float32, nil
	case tensor.Float64:
		return Float64, nil
	case tensor.Int64:
		return Int64, nil
	}
	return 0, fmt.Errorf("engine: compile: %v has type %v, want float32, float64 or int64", n, n.Dtype())
}

// specOf returns the operation of a node. The sums of gradients that
// Backpropagate inserts are Gorgonia's own unexported elementwise addition,
// known by its type name and text.
func specOf(n *gorgonia.Node) (op.Spec, error) {
	switch o := n.Op().(type) {
	case op.Op:
		return o.Spec, nil
	default:
		if reflect.TypeOf(o).String() == "gorgonia.elemBinOp" && strings.HasPrefix(o.String(), "+ ") {
			return op.Add{Rank: n.Dims()}, nil
		}
		return nil, fmt.Errorf("engine: compile: %v: operation %v (%T) is none of internal/op's", n, o, o)
	}
}

// ArenaBytes returns the size of the arena: the peak memory of a run beyond the
// caller's inputs and outputs.
func (p *Program) ArenaBytes() int64 { return int64(p.arena) * int64(p.DType.Size()) }

// Flops returns the floating-point operations of one run's products, and how
// many of them compute forgotten values again.
func (p *Program) Flops() (all, again float64) {
	for _, s := range p.Steps {
		n := op.Flops(s.Spec, s.In, s.Out)
		all += n
		if s.Again {
			again += n
		}
	}
	return all, again
}
