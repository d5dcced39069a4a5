package op

import (
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"edm/internal/ref"
)

// SiLU is x*sigmoid(x), for any rank.
type SiLU struct{ Rank int }

// SiLUGrad is the gradient of SiLU, from x and g.
type SiLUGrad struct {
	leaf
	Rank int
}

// Add is the sum of two tensors of one shape.
type Add struct{ Rank int }

// Scale multiplies by a constant.
type Scale struct {
	Rank   int
	Factor float64
}

// Signature implements Spec.
func (s SiLU) Signature() ([]Operand, int) { return reals(s.Rank), s.Rank }

// Shape implements Spec.
func (s SiLU) Shape(in []tensor.Shape) (tensor.Shape, error) { return in[0].Clone(), nil }

// InPlace implements InPlacer.
func (s SiLU) InPlace() []int { return []int{0} }

// Differentiable implements Spec.
func (s SiLU) Differentiable() []bool { return []bool{true} }

// Gradients implements Spec.
func (s SiLU) Gradients(in gorgonia.Nodes, _, g *gorgonia.Node) (gorgonia.Nodes, error) {
	dx, err := Apply(SiLUGrad{Rank: s.Rank}, in[0], g)
	return gorgonia.Nodes{dx}, err
}

func (s SiLU) Eval32(a *Args[float32]) { ref.SiLU(a.Out, a.In[0]) }
func (s SiLU) Eval64(a *Args[float64]) { ref.SiLU(a.Out, a.In[0]) }

// Signature implements Spec.
func (s SiLUGrad) Signature() ([]Operand, int) { return reals(s.Rank, s.Rank), s.Rank }

// Shape implements Spec.
func (s SiLUGrad) Shape(in []tensor.Shape) (tensor.Shape, error) {
	return in[0].Clone(), want("gradient", in[1], in[0]...)
}

// InPlace implements InPlacer.
func (s SiLUGrad) InPlace() []int { return []int{1, 0} }

func (s SiLUGrad) Eval32(a *Args[float32]) { ref.SiLUGrad(a.Out, a.In[0], a.In[1]) }
func (s SiLUGrad) Eval64(a *Args[float64]) { ref.SiLUGrad(a.Out, a.In[0], a.In[1]) }

// Signature implements Spec.
func (s Add) Signature() ([]Operand, int) { return reals(s.Rank, s.Rank), s.Rank }

// Shape implements Spec.
func (s Add) Shape(in []tensor.Shape) (tensor.Shape, error) {
	return in[0].Clone(), want("second term", in[1], in[0]...)
}

// InPlace implements InPlacer.
func (s Add) InPlace() []int { return []int{0, 1} }

// Differentiable implements Spec.
func (s Add) Differentiable() []bool { return []bool{true, true} }

// Gradients implements Spec.
func (s Add) Gradients(_ gorgonia.Nodes, _, g *gorgonia.Node) (gorgonia.Nodes, error) {
	return gorgonia.Nodes{g, g}, nil
}

func (s Add) Eval32(a *Args[float32]) { ref.Add(a.Out, a.In[0], a.In[1]) }
func (s Add) Eval64(a *Args[float64]) { ref.Add(a.Out, a.In[0], a.In[1]) }

// Signature implements Spec.
func (s Scale) Signature() ([]Operand, int) { return reals(s.Rank), s.Rank }

// Shape implements Spec.
func (s Scale) Shape(in []tensor.Shape) (tensor.Shape, error) { return in[0].Clone(), nil }

// InPlace implements InPlacer.
func (s Scale) InPlace() []int { return []int{0} }

// Differentiable implements Spec.
func (s Scale) Differentiable() []bool { return []bool{true} }

// Gradients implements Spec.
func (s Scale) Gradients(_ gorgonia.Nodes, _, g *gorgonia.Node) (gorgonia.Nodes, error) {
	dx, err := Apply(s, g)
	return gorgonia.Nodes{dx}, err
}

func (s Scale) Eval32(a *Args[float32]) { ref.Scale(a.Out, a.In[0], float32(s.Factor)) }
func (s Scale) Eval64(a *Args[float64]) { ref.Scale(a.Out, a.In[0], s.Factor) }
