package op

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"edm/internal/ref"
)

// Concat joins two images along channels: [N,A,H,W] and [N,B,H,W] to
// [N,A+B,H,W].
type Concat struct{}

// Narrow takes Len channels from From on.
type Narrow struct{ From, Len int }

// Widen is the transpose of Narrow: it places its channels from From on among
// Channels, of which the others are zero.
type Widen struct{ From, Channels int }

// Pad surrounds an image with Width zeros on every side.
type Pad struct{ Width int }

// Crop cuts Width pixels off every side of an image: the transpose of Pad.
type Crop struct{ Width int }

// Signature implements Spec.
func (Concat) Signature() ([]Operand, int) { return reals(4, 4), 4 }

// Shape implements Spec.
func (Concat) Shape(in []tensor.Shape) (tensor.Shape, error) {
	a, b := in[0], in[1]
	return tensor.Shape{a[0], a[1] + b[1], a[2], a[3]}, want("second image", b, a[0], b[1], a[2], a[3])
}

// Differentiable implements Spec.
func (Concat) Differentiable() []bool { return []bool{true, true} }

// Gradients implements Spec.
func (Concat) Gradients(in gorgonia.Nodes, _, g *gorgonia.Node) (gorgonia.Nodes, error) {
	a, c := in[0].Shape()[1], in[1].Shape()[1]
	b := Builder{}
	return gorgonia.Nodes{
		b.Apply(Narrow{From: 0, Len: a}, g),
		b.Apply(Narrow{From: a, Len: c}, g),
	}, b.Err
}

func (Concat) Eval32(a *Args[float32]) { concat(a) }
func (Concat) Eval64(a *Args[float64]) { concat(a) }

func concat[T ref.Float](a *Args[T]) {
	n := a.OutShape[0]
	ref.Concat(n, len(a.In[0])/n, len(a.In[1])/n, a.Out, a.In[0], a.In[1])
}

// Signature implements Spec.
func (s Narrow) Signature() ([]Operand, int) { return reals(4), 4 }

// Shape implements Spec.
func (s Narrow) Shape(in []tensor.Shape) (tensor.Shape, error) {
	x := in[0]
	if s.From < 0 || s.Len < 1 || s.From+s.Len > x[1] {
		return nil, fmt.Errorf("channels %d..%d of %d", s.From, s.From+s.Len, x[1])
	}
	return tensor.Shape{x[0], s.Len, x[2], x[3]}, nil
}

// Differentiable implements Spec.
func (s Narrow) Differentiable() []bool { return []bool{true} }

// Gradients implements Spec.
func (s Narrow) Gradients(in gorgonia.Nodes, _, g *gorgonia.Node) (gorgonia.Nodes, error) {
	dx, err := Apply(Widen{From: s.From, Channels: in[0].Shape()[1]}, g)
	return gorgonia.Nodes{dx}, err
}

func (s Narrow) Eval32(a *Args[float32]) { narrow(s, a) }
func (s Narrow) Eval64(a *Args[float64]) { narrow(s, a) }

func narrow[T ref.Float](s Narrow, a *Args[T]) {
	x := image(a.InShape[0])
	p := x.Pixels()
	ref.Narrow(x.N, x.C*p, s.From*p, s.Len*p, a.Out, a.In[0])
}

// Signature implements Spec.
func (s Widen) Signature() ([]Operand, int) { return reals(4), 4 }

// Shape implements Spec.
func (s Widen) Shape(in []tensor.Shape) (tensor.Shape, error) {
	x := in[0]
	if s.From < 0 || s.From+x[1] > s.Channels {
		return nil, fmt.Errorf("channels %d..%d of %d", s.From, s.From+x[1], s.Channels)
	}
	return tensor.Shape{x[0], s.Channels, x[2], x[3]}, nil
}

// Differentiable implements Spec.
func (s Widen) Differentiable() []bool { return []bool{true} }

// Gradients implements Spec.
func (s Widen) Gradients(in gorgonia.Nodes, _, g *gorgonia.Node) (gorgonia.Nodes, error) {
	dx, err := Apply(Narrow{From: s.From, Len: in[0].Shape()[1]}, g)
	return gorgonia.Nodes{dx}, err
}

func (s Widen) Eval32(a *Args[float32]) { widen(s, a) }
func (s Widen) Eval64(a *Args[float64]) { widen(s, a) }

func widen[T ref.Float](s Widen, a *Args[T]) {
	x := image(a.InShape[0])
	p := x.Pixels()
	ref.Widen(x.N, s.Channels*p, s.From*p, x.C*p, a.Out, a.In[0])
}

// Signature implements Spec.
func (s Pad) Signature() ([]Operand, int) { return reals(4), 4 }

// Shape implements Spec.
func (s Pad) Shape(in []tensor.Shape) (tensor.Shape, error) {
	x := in[0]
	if s.Width < 0 {
		return nil, fmt.Errorf("border of %d pixels", s.Width)
	}
	return tensor.Shape{x[0], x[1], x[2] + 2*s.Width, x[3] + 2*s.Width}, nil
}

// Differentiable implements Spec.
func (s Pad) Differentiable() []bool { return []bool{true} }

// Gradients implements Spec.
func (s Pad) Gradients(_ gorgonia.Nodes, _, g *gorgonia.Node) (gorgonia.Nodes, error) {
	dx, err := Apply(Crop(s), g)
	return gorgonia.Nodes{dx}, err
}

func (s Pad) Eval32(a *Args[float32]) { ref.Pad(image(a.InShape[0]), s.Width, a.Out, a.In[0]) }
func (s Pad) Eval64(a *Args[float64]) { ref.Pad(image(a.InShape[0]), s.Width, a.Out, a.In[0]) }

// Signature implements Spec.
func (s Crop) Signature() ([]Operand, int) { return reals(4), 4 }

// Shape implements Spec.
func (s Crop) Shape(in []tensor.Shape) (tensor.Shape, error) {
	x := in[0]
	if s.Width < 0 || min(x[2], x[3]) <= 2*s.Width {
		return nil, fmt.Errorf("a border of %d pixels on an image of %dx%d", s.Width, x[2], x[3])
	}
	return tensor.Shape{x[0], x[1], x[2] - 2*s.Width, x[3] - 2*s.Width}, nil
}

// Differentiable implements Spec.
func (s Crop) Differentiable() []bool { return []bool{true} }

// Gradients implements Spec.
func (s Crop) Gradients(_ gorgonia.Nodes, _, g *gorgonia.Node) (gorgonia.Nodes, error) {
	dx, err := Apply(Pad(s), g)
	return gorgonia.Nodes{dx}, err
}

func (s Crop) Eval32(a *Args[float32]) { ref.Crop(image(a.OutShape), s.Width, a.Out, a.In[0]) }
func (s Crop) Eval64(a *Args[float64]) { ref.Crop(image(a.OutShape), s.Width, a.Out, a.In[0]) }
