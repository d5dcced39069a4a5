package op

import (
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"edm/internal/ref"
)

// Linear is y = Scale * x w^T + b. Inputs: x [N,in], w [out,in] and, with Bias,
// b [out].
type Linear struct {
	Bias  bool
	Scale float64
}

// LinearData is the gradient of Linear by x, from g [N,out] and w.
type LinearData struct {
	leaf
	Scale float64
}

// LinearWeights is the gradient of Linear by w, from x and g, summed over the
// batch.
type LinearWeights struct {
	leaf
	Scale float64
}

// SumHW is Scale times the sum over pixels: [N,C,H,W] to [N,C].
type SumHW struct {
	leaf
	Scale float64
}

// SumN is the sum over the batch: [N,C] to [C].
type SumN struct{ leaf }

// Signature implements Spec.
func (s Linear) Signature() ([]Operand, int) {
	if s.Bias {
		return reals(2, 2, 1), 2
	}
	return reals(2, 2), 2
}

// Shape implements Spec.
func (s Linear) Shape(in []tensor.Shape) (tensor.Shape, error) {
	x, w := in[0], in[1]
	if err := want("weight", w, w[0], x[1]); err != nil {
		return nil, err
	}
	if s.Bias {
		if err := want("bias", in[2], w[0]); err != nil {
			return nil, err
		}
	}
	return tensor.Shape{x[0], w[0]}, nil
}

// Differentiable implements Spec.
func (s Linear) Differentiable() []bool {
	if s.Bias {
		return []bool{true, true, true}
	}
	return []bool{true, true}
}

// Gradients implements Spec.
func (s Linear) Gradients(in gorgonia.Nodes, _, g *gorgonia.Node) (gorgonia.Nodes, error) {
	b := Builder{}
	grads := gorgonia.Nodes{
		b.Apply(LinearData{Scale: s.Scale}, g, in[1]),
		b.Apply(LinearWeights{Scale: s.Scale}, in[0], g),
	}
	if s.Bias {
		grads = append(grads, b.Apply(SumN{}, g))
	}
	return grads, b.Err
}

func (s Linear) Eval32(a *Args[float32]) { linear(s, a) }
func (s Linear) Eval64(a *Args[float64]) { linear(s, a) }

func linear[T ref.Float](s Linear, a *Args[T]) {
	var bias []T
	if s.Bias {
		bias = a.In[2]
	}
	w := a.InShape[1]
	ref.Linear(a.OutShape[0], w[1], w[0], a.Out, a.In[0], a.In[1], bias, T(s.Scale))
}

// Signature implements Spec.
func (s LinearData) Signature() ([]Operand, int) { return reals(2, 2), 2 }

// Shape implements Spec.
func (s LinearData) Shape(in []tensor.Shape) (tensor.Shape, error) {
	g, w := in[0], in[1]
	return tensor.Shape{g[0], w[1]}, want("weight", w, g[1], w[1])
}

func (s LinearData) Eval32(a *Args[float32]) { linearData(s, a) }
func (s LinearData) Eval64(a *Args[float64]) { linearData(s, a) }

func linearData[T ref.Float](s LinearData, a *Args[T]) {
	w := a.InShape[1]
	ref.LinearData(a.OutShape[0], w[1], w[0], a.Out, a.In[0], a.In[1], T(s.Scale))
}

// Signature implements Spec.
func (s LinearWeights) Signature() ([]Operand, int) { return reals(2, 2), 2 }

// Shape implements Spec.
func (s LinearWeights) Shape(in []tensor.Shape) (tensor.Shape, error) {
	x, g := in[0], in[1]
	return tensor.Shape{g[1], x[1]}, want("gradient", g, x[0], g[1])
}

func (s LinearWeights) Eval32(a *Args[float32]) { linearWeights(s, a) }
func (s LinearWeights) Eval64(a *Args[float64]) { linearWeights(s, a) }

func linearWeights[T ref.Float](s LinearWeights, a *Args[T]) {
	x, w := a.InShape[0], a.OutShape
	ref.LinearWeights(x[0], w[1], w[0], a.Out, a.In[0], a.In[1], T(s.Scale))
}

// Signature implements Spec.
func (s SumHW) Signature() ([]Operand, int) { return reals(4), 2 }

// Shape implements Spec.
func (s SumHW) Shape(in []tensor.Shape) (tensor.Shape, error) {
	return tensor.Shape{in[0][0], in[0][1]}, nil
}

func (s SumHW) Eval32(a *Args[float32]) {
	ref.SumHW(image(a.InShape[0]), a.Out, a.In[0], float32(s.Scale))
}
func (s SumHW) Eval64(a *Args[float64]) { ref.SumHW(image(a.InShape[0]), a.Out, a.In[0], s.Scale) }

// Signature implements Spec.
func (s SumN) Signature() ([]Operand, int) { return reals(2), 1 }

// Shape implements Spec.
func (s SumN) Shape(in []tensor.Shape) (tensor.Shape, error) { return tensor.Shape{in[0][1]}, nil }

func (s SumN) Eval32(a *Args[float32]) { ref.SumN(a.InShape[0][0], a.InShape[0][1], a.Out, a.In[0]) }
func (s SumN) Eval64(a *Args[float64]) { ref.SumN(a.InShape[0][0], a.InShape[0][1], a.Out, a.In[0]) }
