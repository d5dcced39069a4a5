// Package op holds the operations of the network, the denoiser and the loss as
// Gorgonia ops: shape inference, symbolic gradient and a portable evaluation
// by the loops of internal/ref.
//
// An operation is a Spec: a small comparable struct whose fields are all of its
// configuration. Op adds the methods that Gorgonia needs. Executors use the Spec alone.
package op

import (
	"fmt"
	"hash"
	"hash/fnv"
	"slices"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"edm/internal/ref"
)

// Kind tells a float tensor from an integer one in a signature.
type Kind uint8

// The kinds of operand.
const (
	Real  Kind = iota // float32 or float64, as the graph was built
	Whole             // int64: counters and keys of the random generator
)

// Operand is the rank and kind of an input or output.
type Operand struct {
	Rank int
	Kind Kind
}

// Args are the buffers of one evaluation. An integer input stands in Whole and
// leaves nil in In, and the other way round.
type Args[T ref.Float] struct {
	Out      []T
	In       [][]T
	Whole    [][]int64
	OutShape tensor.Shape
	InShape  []tensor.Shape
}

// Spec is one configured operation with a single output.
type Spec interface {
	// Signature returns the operands and the rank of the output, which is Real.
	Signature() (in []Operand, out int)
	// Shape returns the output's shape, or an error that names the bad operand.
	Shape(in []tensor.Shape) (tensor.Shape, error)
	// Differentiable says for each input whether Gradients returns a node; nil
	// means none.
	Differentiable() []bool
	// Gradients returns the gradient nodes of the inputs given that of the
	// output; nil for inputs that are not differentiable.
	Gradients(in gorgonia.Nodes, out, g *gorgonia.Node) (gorgonia.Nodes, error)
	// Eval32 and Eval64 evaluate the operation on one thread.
	Eval32(a *Args[float32])
	Eval64(a *Args[float64])
}

// InPlacer is implemented by a Spec whose output may overwrite an input of the
// same shape: element i of the output depends on element i of that input alone.
type InPlacer interface {
	// InPlace returns the indices of such inputs, the preferred one first.
	InPlace() []int
}

// Op makes a Gorgonia op of a Spec.
type Op struct{ Spec }

var (
	_ gorgonia.Op   = Op{}
	_ gorgonia.SDOp = Op{}
)

// Arity returns the number of inputs.
func (o Op) Arity() int {
	in, _ := o.Signature()
	return len(in)
}

// Type returns the signature in Gorgonia's type system; the float type is one
// type variable throughout.
func (o Op) Type() hm.Type {
	in, out := o.Signature()
	real := hm.TypeVariable('a')
	types := make([]hm.Type, 0, len(in)+1)
	for _, p := range in {
		if p.Kind == Whole {
			types = append(types, gorgonia.TensorType{Dims: p.Rank, Of: tensor.Int64})
		} else {
			types = append(types, gorgonia.TensorType{Dims: p.Rank, Of: real})
		}
	}
	types = append(types, gorgonia.TensorType{Dims: out, Of: real})
	return hm.NewFnType(types...)
}

// InferShape checks the inputs' shapes and returns the output's.
func (o Op) InferShape(in ...gorgonia.DimSizer) (tensor.Shape, error) {
	shapes, err := gorgonia.DimSizersToShapes(in)
	if err != nil {
		return nil, err
	}
	return o.checkedShape(shapes)
}

func (o Op) checkedShape(shapes []tensor.Shape) (tensor.Shape, error) {
	want, _ := o.Signature()
	if len(want) != len(shapes) {
		return nil, fmt.Errorf("op: %v takes %d inputs, got %d", o, len(want), len(shapes))
	}
	for i, p := range want {
		if len(shapes[i]) != p.Rank {
			return nil, fmt.Errorf("op: %v: input %d has shape %v, want rank %d", o, i, shapes[i], p.Rank)
		}
	}
	s, err := o.Shape(shapes)
	if err != nil {
		return nil, fmt.Errorf("op: %v: %w", o, err)
	}
	return s, nil
}

// Do evaluates the op portably into a new tensor.
func (o Op) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	shapes := make([]tensor.Shape, len(in))
	for i, v := range in {
		shapes[i] = v.Shape()
	}
	out, err := o.checkedShape(shapes)
	if err != nil {
		return nil, err
	}
	for _, v := range in {
		switch v.Dtype() {
		case tensor.Float32:
			return evaluate[float32](out, shapes, in, o.Eval32)
		case tensor.Float64:
			return evaluate[float64](out, shapes, in, o.Eval64)
		}
	}
	return nil, fmt.Errorf("op: %v has no float32 or float64 input", o)
}

func evaluate[T ref.Float](out tensor.Shape, shapes []tensor.Shape, in []gorgonia.Value, eval func(*Args[T])) (gorgonia.Value, error) {
	a := Args[T]{
		Out: make([]T, out.TotalSize()), OutShape: out, InShape: shapes,
		In: make([][]T, len(in)), Whole: make([][]int64, len(in)),
	}
	for i, v := range in {
		switch data := v.Data().(type) {
		case []T:
			a.In[i] = data
		case []int64:
			a.Whole[i] = data
		default:
			return nil, fmt.Errorf("op: input %d is a %T", i, data)
		}
	}
	eval(&a)
	return tensor.New(tensor.WithShape(out...), tensor.WithBacking(a.Out)), nil
}

// ReturnsPtr reports that the output is a tensor of its own.
func (o Op) ReturnsPtr() bool { return true }

// CallsExtern reports that nothing outside Go is called.
func (o Op) CallsExtern() bool { return false }

// OverwritesInput returns -1: on Gorgonia's own machines no input is
// overwritten.
func (o Op) OverwritesInput() int { return -1 }

// WriteHash writes the type and every field of the configuration.
func (o Op) WriteHash(h hash.Hash) { fmt.Fprint(h, o.String()) }

// Hashcode returns a 32-bit hash of WriteHash's text.
func (o Op) Hashcode() uint32 {
	h := fnv.New32a()
	o.WriteHash(h)
	return h.Sum32()
}

func (o Op) String() string { return fmt.Sprintf("%#v", o.Spec) }

// DiffWRT says which of n inputs have a gradient.
func (o Op) DiffWRT(n int) []bool {
	if d := o.Differentiable(); d != nil {
		return d
	}
	return make([]bool, n)
}

// SymDiff returns the gradient nodes of the inputs.
func (o Op) SymDiff(in gorgonia.Nodes, out, g *gorgonia.Node) (gorgonia.Nodes, error) {
	grads, err := o.Gradients(in, out, g)
	if err != nil {
		return nil, fmt.Errorf("op: gradient of %v: %w", o, err)
	}
	return grads, nil
}

// Apply adds spec to the graph of its inputs. Gorgonia identifies nodes by a
// 32-bit hash, so Apply checks that Gorgonia returned this node.
func Apply(spec Spec, in ...*gorgonia.Node) (*gorgonia.Node, error) {
	o := Op{spec}
	n, err := gorgonia.ApplyOp(o, in...)
	if err != nil {
		return nil, err
	}
	if got, ok := n.Op().(Op); !ok || got != o || !sameChildren(n, in) {
		return nil, fmt.Errorf("op: hash collision in the graph: %v was taken for %v; rename an input", o, n)
	}
	return n, nil
}

// Children returns the inputs of n in order, repeats kept.
func Children(n *gorgonia.Node) gorgonia.Nodes {
	it := n.Graph().From(n.ID())
	var in gorgonia.Nodes
	for it.Next() {
		in = append(in, it.Node().(*gorgonia.Node))
	}
	return in
}

func sameChildren(n *gorgonia.Node, want gorgonia.Nodes) bool {
	got := Children(n)
	return slices.Equal(got, want)
}

// leaf supplies Differentiable and Gradients for operations that have no
// gradient: those that only occur in a backward pass, and statistics.
type leaf struct{}

func (leaf) Differentiable() []bool { return nil }

func (leaf) Gradients(in gorgonia.Nodes, _, _ *gorgonia.Node) (gorgonia.Nodes, error) {
	return make(gorgonia.Nodes, len(in)), nil
}

// reals returns a signature's operands for real inputs of the given ranks.
func reals(ranks ...int) []Operand {
	in := make([]Operand, len(ranks))
	for i, r := range ranks {
		in[i] = Operand{r, Real}
	}
	return in
}

// want returns an error unless shape is exactly dims.
func want(what string, shape tensor.Shape, dims ...int) error {
	if !slices.Equal(shape, dims) {
		return fmt.Errorf("%s has shape %v, want %v", what, shape, dims)
	}
	return nil
}

// image reads an [N,C,H,W] shape.
func image(s tensor.Shape) ref.Image { return ref.Image{N: s[0], C: s[1], H: s[2], W: s[3]} }
