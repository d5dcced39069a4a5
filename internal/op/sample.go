package op

import (
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"edm/internal/ref"
)

// SampleScale multiplies each image by its own number: inputs x [N,C,H,W] and
// v [N]. There is no gradient by v.
type SampleScale struct{}

// Combine is a[n]*x + b[n]*f: inputs x and f [N,C,H,W], a and b [N]. It joins
// the skip path and the network's output into the denoiser (EDM Eq. 7), and
// image and noise into a training input. There is no gradient by a and b.
type Combine struct{}

// SquaredError is the weighted squared error of each image, w[n] * sum
// (d-y)^2: inputs d and y [N,C,H,W] and w [N]; output [N] (EDM Eq. 8 before
// the mean over pixels). Only d has a gradient.
type SquaredError struct{}

// SquaredErrorGrad is the gradient of SquaredError by d, from d, y, w and g
// [N].
type SquaredErrorGrad struct{ leaf }

// Signature implements Spec.
func (SampleScale) Signature() ([]Operand, int) { return reals(4, 1), 4 }

// Shape implements Spec.
func (SampleScale) Shape(in []tensor.Shape) (tensor.Shape, error) {
	return in[0].Clone(), want("factor", in[1], in[0][0])
}

// InPlace implements InPlacer.
func (SampleScale) InPlace() []int { return []int{0} }

// Differentiable implements Spec.
func (SampleScale) Differentiable() []bool { return []bool{true, false} }

// Gradients implements Spec.
func (s SampleScale) Gradients(in gorgonia.Nodes, _, g *gorgonia.Node) (gorgonia.Nodes, error) {
	dx, err := Apply(s, g, in[1])
	return gorgonia.Nodes{dx, nil}, err
}

func (SampleScale) Eval32(a *Args[float32]) { ref.SampleScale(a.Out, a.In[0], a.In[1]) }
func (SampleScale) Eval64(a *Args[float64]) { ref.SampleScale(a.Out, a.In[0], a.In[1]) }

// Signature implements Spec.
func (Combine) Signature() ([]Operand, int) { return reals(4, 4, 1, 1), 4 }

// Shape implements Spec.
func (Combine) Shape(in []tensor.Shape) (tensor.Shape, error) {
	x := in[0]
	if err := want("second image", in[1], x...); err != nil {
		return nil, err
	}
	if err := want("first factor", in[2], x[0]); err != nil {
		return nil, err
	}
	return x.Clone(), want("second factor", in[3], x[0])
}

// InPlace implements InPlacer.
func (Combine) InPlace() []int { return []int{1, 0} }

// Differentiable implements Spec.
func (Combine) Differentiable() []bool { return []bool{true, true, false, false} }

// Gradients implements Spec.
func (Combine) Gradients(in gorgonia.Nodes, _, g *gorgonia.Node) (gorgonia.Nodes, error) {
	b := Builder{}
	return gorgonia.Nodes{
		b.Apply(SampleScale{}, g, in[2]),
		b.Apply(SampleScale{}, g, in[3]),
		nil, nil,
	}, b.Err
}

func (Combine) Eval32(a *Args[float32]) { ref.Combine(a.Out, a.In[0], a.In[1], a.In[2], a.In[3]) }
func (Combine) Eval64(a *Args[float64]) { ref.Combine(a.Out, a.In[0], a.In[1], a.In[2], a.In[3]) }

// Signature implements Spec.
func (SquaredError) Signature() ([]Operand, int) { return reals(4, 4, 1), 1 }

// Shape implements Spec.
func (SquaredError) Shape(in []tensor.Shape) (tensor.Shape, error) {
	d := in[0]
	if err := want("target", in[1], d...); err != nil {
		return nil, err
	}
	return tensor.Shape{d[0]}, want("weight", in[2], d[0])
}

// Differentiable implements Spec.
func (SquaredError) Differentiable() []bool { return []bool{true, false, false} }

// Gradients implements Spec.
func (SquaredError) Gradients(in gorgonia.Nodes, _, g *gorgonia.Node) (gorgonia.Nodes, error) {
	dd, err := Apply(SquaredErrorGrad{}, in[0], in[1], in[2], g)
	return gorgonia.Nodes{dd, nil, nil}, err
}

func (SquaredError) Eval32(a *Args[float32]) {
	ref.WeightedSquaredError(a.Out, a.In[0], a.In[1], a.In[2])
}
func (SquaredError) Eval64(a *Args[float64]) {
	ref.WeightedSquaredError(a.Out, a.In[0], a.In[1], a.In[2])
}

// Signature implements Spec.
func (SquaredErrorGrad) Signature() ([]Operand, int) { return reals(4, 4, 1, 1), 4 }

// Shape implements Spec.
func (SquaredErrorGrad) Shape(in []tensor.Shape) (tensor.Shape, error) {
	return Combine{}.Shape(in)
}

// InPlace implements InPlacer.
func (SquaredErrorGrad) InPlace() []int { return []int{0} }

func (SquaredErrorGrad) Eval32(a *Args[float32]) {
	ref.WeightedSquaredErrorGrad(a.Out, a.In[0], a.In[1], a.In[2], a.In[3])
}
func (SquaredErrorGrad) Eval64(a *Args[float64]) {
	ref.WeightedSquaredErrorGrad(a.Out, a.In[0], a.In[1], a.In[2], a.In[3])
}
