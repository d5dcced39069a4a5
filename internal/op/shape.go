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
type Narrow struct {
	leaf
	From, Len int
}

// MaxTaps is the longest resampling filter.
const MaxTaps = 8

// Filter is a separable resampling filter of N taps; it is normalised to sum 1
// where it is used. {1,1} gives nearest-neighbour upsampling and 2x2 means.
type Filter struct {
	Taps [MaxTaps]float64
	N    int
}

// NewFilter returns the filter with the given taps, of which there must be an
// even number up to MaxTaps with a positive sum.
func NewFilter(taps ...float64) (Filter, error) {
	var f Filter
	var sum float64
	f.N = copy(f.Taps[:], taps)
	for _, v := range taps {
		sum += v
	}
	if len(taps) == 0 || len(taps)%2 != 0 || len(taps) > MaxTaps || !(sum > 0) {
		return Filter{}, fmt.Errorf("op: resampling filter %v: want 2, 4, 6 or 8 taps with a positive sum", taps)
	}
	return f, nil
}

// Down halves an image: filter, then keep every second pixel, times Gain.
type Down struct {
	Filter Filter
	Gain   float64
}

// Up doubles an image: the transpose of Down. Gain 4 keeps the mean.
type Up struct {
	Filter Filter
	Gain   float64
}

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

func (s Narrow) Eval32(a *Args[float32]) { narrow(s, a) }
func (s Narrow) Eval64(a *Args[float64]) { narrow(s, a) }

func narrow[T ref.Float](s Narrow, a *Args[T]) {
	x := image(a.InShape[0])
	p := x.Pixels()
	ref.Narrow(x.N, x.C*p, s.From*p, s.Len*p, a.Out, a.In[0])
}

// Signature implements Spec.
func (s Down) Signature() ([]Operand, int) { return reals(4), 4 }

// Shape implements Spec.
func (s Down) Shape(in []tensor.Shape) (tensor.Shape, error) {
	x := in[0]
	if x[2]%2 != 0 || x[3]%2 != 0 {
		return nil, fmt.Errorf("an image of %dx%d cannot be halved", x[2], x[3])
	}
	return tensor.Shape{x[0], x[1], x[2] / 2, x[3] / 2}, nil
}

// Differentiable implements Spec.
func (s Down) Differentiable() []bool { return []bool{true} }

// Gradients implements Spec.
func (s Down) Gradients(_ gorgonia.Nodes, _, g *gorgonia.Node) (gorgonia.Nodes, error) {
	dx, err := Apply(Up(s), g)
	return gorgonia.Nodes{dx}, err
}

func (s Down) Eval32(a *Args[float32]) {
	ref.Down(image(a.InShape[0]), a.Out, a.In[0], s.Filter.Taps[:s.Filter.N], s.Gain)
}
func (s Down) Eval64(a *Args[float64]) {
	ref.Down(image(a.InShape[0]), a.Out, a.In[0], s.Filter.Taps[:s.Filter.N], s.Gain)
}

// Signature implements Spec.
func (s Up) Signature() ([]Operand, int) { return reals(4), 4 }

// Shape implements Spec.
func (s Up) Shape(in []tensor.Shape) (tensor.Shape, error) {
	x := in[0]
	return tensor.Shape{x[0], x[1], 2 * x[2], 2 * x[3]}, nil
}

// Differentiable implements Spec.
func (s Up) Differentiable() []bool { return []bool{true} }

// Gradients implements Spec.
func (s Up) Gradients(_ gorgonia.Nodes, _, g *gorgonia.Node) (gorgonia.Nodes, error) {
	dx, err := Apply(Down(s), g)
	return gorgonia.Nodes{dx}, err
}

func (s Up) Eval32(a *Args[float32]) {
	ref.Up(image(a.OutShape), a.Out, a.In[0], s.Filter.Taps[:s.Filter.N], s.Gain)
}
func (s Up) Eval64(a *Args[float64]) {
	ref.Up(image(a.OutShape), a.Out, a.In[0], s.Filter.Taps[:s.Filter.N], s.Gain)
}
