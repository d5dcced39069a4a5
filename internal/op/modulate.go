package op

import (
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"edm/internal/ref"
)

// Modulate makes the gamma or beta of a group norm depend on the image
// (adaptive group norm: Dhariwal & Nichol 2021, Sec. 3). Inputs: v [C] and m
// [N,2C], a scale and then a shift for every channel. Output [N,C]:
// v[c]*(1+m[n,c]), plus m[n,C+c] with Shift. A gamma modulated without and a
// beta modulated with Shift give GNApply norm(x)*(1+scale) + shift.
type Modulate struct{ Shift bool }

// ModulateParam is the gradient of Modulate by v, from g and m, summed over
// the batch.
type ModulateParam struct{ leaf }

// ModulateData is the gradient of Modulate by m, from g and v.
type ModulateData struct {
	leaf
	Shift bool
}

// Signature implements Spec.
func (s Modulate) Signature() ([]Operand, int) { return reals(1, 2), 2 }

// Shape implements Spec.
func (s Modulate) Shape(in []tensor.Shape) (tensor.Shape, error) {
	v, m := in[0], in[1]
	return tensor.Shape{m[0], v[0]}, want("scales and shifts", m, m[0], 2*v[0])
}

// Differentiable implements Spec.
func (s Modulate) Differentiable() []bool { return []bool{true, true} }

// Gradients implements Spec.
func (s Modulate) Gradients(in gorgonia.Nodes, _, g *gorgonia.Node) (gorgonia.Nodes, error) {
	b := Builder{}
	return gorgonia.Nodes{
		b.Apply(ModulateParam{}, g, in[1]),
		b.Apply(ModulateData{Shift: s.Shift}, g, in[0]),
	}, b.Err
}

func (s Modulate) Eval32(a *Args[float32]) { modulate(s, a) }
func (s Modulate) Eval64(a *Args[float64]) { modulate(s, a) }

func modulate[T ref.Float](s Modulate, a *Args[T]) {
	ref.Modulate(a.OutShape[0], a.OutShape[1], s.Shift, a.Out, a.In[0], a.In[1])
}

// Signature implements Spec.
func (s ModulateParam) Signature() ([]Operand, int) { return reals(2, 2), 1 }

// Shape implements Spec.
func (s ModulateParam) Shape(in []tensor.Shape) (tensor.Shape, error) {
	g := in[0]
	return tensor.Shape{g[1]}, want("scales and shifts", in[1], g[0], 2*g[1])
}

func (s ModulateParam) Eval32(a *Args[float32]) { modulateParam(a) }
func (s ModulateParam) Eval64(a *Args[float64]) { modulateParam(a) }

func modulateParam[T ref.Float](a *Args[T]) {
	g := a.InShape[0]
	ref.ModulateParam(g[0], g[1], a.Out, a.In[0], a.In[1])
}

// Signature implements Spec.
func (s ModulateData) Signature() ([]Operand, int) { return reals(2, 1), 2 }

// Shape implements Spec.
func (s ModulateData) Shape(in []tensor.Shape) (tensor.Shape, error) {
	g := in[0]
	return tensor.Shape{g[0], 2 * g[1]}, want("parameter", in[1], g[1])
}

func (s ModulateData) Eval32(a *Args[float32]) { modulateData(s, a) }
func (s ModulateData) Eval64(a *Args[float64]) { modulateData(s, a) }

func modulateData[T ref.Float](s ModulateData, a *Args[T]) {
	g := a.InShape[0]
	ref.ModulateData(g[0], g[1], s.Shift, a.Out, a.In[0], a.In[1])
}
