package op

import (
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"edm/internal/ref"
)

// MeanHW is the mean over pixels: [N,C,H,W] to [N,C].
type MeanHW struct{}

// SpreadHW is the gradient of MeanHW: it gives every one of H x W pixels its
// share of g [N,C].
type SpreadHW struct {
	leaf
	H, W int
}

// CrossEntropy is -sum_k t[n,k] ln softmax(z[n])_k: inputs logits z and targets
// t [N,K], output [N]. There is no gradient by t.
type CrossEntropy struct{}

// CrossEntropyGrad is the gradient of CrossEntropy by z, from z, t and g [N].
type CrossEntropyGrad struct{ leaf }

// Signature implements Spec.
func (MeanHW) Signature() ([]Operand, int) { return reals(4), 2 }

// Shape implements Spec.
func (MeanHW) Shape(in []tensor.Shape) (tensor.Shape, error) {
	return tensor.Shape{in[0][0], in[0][1]}, nil
}

// Differentiable implements Spec.
func (MeanHW) Differentiable() []bool { return []bool{true} }

// Gradients implements Spec.
func (MeanHW) Gradients(in gorgonia.Nodes, _, g *gorgonia.Node) (gorgonia.Nodes, error) {
	x := in[0].Shape()
	dx, err := Apply(SpreadHW{H: x[2], W: x[3]}, g)
	return gorgonia.Nodes{dx}, err
}

func (MeanHW) Eval32(a *Args[float32]) { meanHW(a) }
func (MeanHW) Eval64(a *Args[float64]) { meanHW(a) }

func meanHW[T ref.Float](a *Args[T]) {
	x := image(a.InShape[0])
	ref.SumHW(x, a.Out, a.In[0], 1/T(x.Pixels()))
}

// Signature implements Spec.
func (s SpreadHW) Signature() ([]Operand, int) { return reals(2), 4 }

// Shape implements Spec.
func (s SpreadHW) Shape(in []tensor.Shape) (tensor.Shape, error) {
	return tensor.Shape{in[0][0], in[0][1], s.H, s.W}, nil
}

func (s SpreadHW) Eval32(a *Args[float32]) { spreadHW(a) }
func (s SpreadHW) Eval64(a *Args[float64]) { spreadHW(a) }

func spreadHW[T ref.Float](a *Args[T]) {
	x := image(a.OutShape)
	ref.SpreadHW(x, a.Out, a.In[0], 1/T(x.Pixels()))
}

// Signature implements Spec.
func (CrossEntropy) Signature() ([]Operand, int) { return reals(2, 2), 1 }

// Shape implements Spec.
func (CrossEntropy) Shape(in []tensor.Shape) (tensor.Shape, error) {
	z := in[0]
	return tensor.Shape{z[0]}, want("target", in[1], z...)
}

// Differentiable implements Spec.
func (CrossEntropy) Differentiable() []bool { return []bool{true, false} }

// Gradients implements Spec.
func (CrossEntropy) Gradients(in gorgonia.Nodes, _, g *gorgonia.Node) (gorgonia.Nodes, error) {
	dz, err := Apply(CrossEntropyGrad{}, in[0], in[1], g)
	return gorgonia.Nodes{dz, nil}, err
}

func (CrossEntropy) Eval32(a *Args[float32]) { crossEntropy(a) }
func (CrossEntropy) Eval64(a *Args[float64]) { crossEntropy(a) }

func crossEntropy[T ref.Float](a *Args[T]) {
	ref.CrossEntropy(a.InShape[0][0], a.InShape[0][1], a.Out, a.In[0], a.In[1])
}

// Signature implements Spec.
func (CrossEntropyGrad) Signature() ([]Operand, int) { return reals(2, 2, 1), 2 }

// Shape implements Spec.
func (CrossEntropyGrad) Shape(in []tensor.Shape) (tensor.Shape, error) {
	z := in[0]
	if err := want("target", in[1], z...); err != nil {
		return nil, err
	}
	return z.Clone(), want("gradient", in[2], z[0])
}

func (CrossEntropyGrad) Eval32(a *Args[float32]) { crossEntropyGrad(a) }
func (CrossEntropyGrad) Eval64(a *Args[float64]) { crossEntropyGrad(a) }

func crossEntropyGrad[T ref.Float](a *Args[T]) {
	z := a.InShape[0]
	ref.CrossEntropyGrad(z[0], z[1], a.Out, a.In[0], a.In[1], a.In[2])
}
