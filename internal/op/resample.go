package op

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"edm/internal/ref"
)

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
