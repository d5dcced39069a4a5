package op

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"edm/internal/ref"
)

// Conv2D is a convolution with stride 1 and padding Kernel/2 followed by what
// usually follows it: y = (x * w + b[c] + e[n,c] + r) * Scale. Inputs: x
// [N,Cin,H,W], w [Cout,Cin,Kernel,Kernel], then b [Cout], e [N,Cout] and r
// [N,Cout,H,W] as far as asked for.
type Conv2D struct {
	Kernel                     int // 1 or 3
	Bias, SampleBias, Residual bool
	Scale                      float64
}

// Conv2DData is the gradient of Conv2D by x, from g [N,Cout,H,W] and w.
type Conv2DData struct {
	leaf
	Kernel int
	Scale  float64
}

// Conv2DWeights is the gradient of Conv2D by w, from x and g, summed over the
// batch.
type Conv2DWeights struct {
	leaf
	Kernel int
	Scale  float64
}

// terms are the positions of Conv2D's optional inputs; -1 if absent.
type terms struct{ bias, sample, residual int }

func (s Conv2D) terms() terms {
	next, t := 2, terms{-1, -1, -1}
	for _, p := range []struct {
		on bool
		at *int
	}{{s.Bias, &t.bias}, {s.SampleBias, &t.sample}, {s.Residual, &t.residual}} {
		if p.on {
			*p.at = next
			next++
		}
	}
	return t
}

// Terms returns the positions of the bias, per-sample bias and residual among
// the inputs; -1 if absent.
func (s Conv2D) Terms() (bias, sample, residual int) {
	t := s.terms()
	return t.bias, t.sample, t.residual
}

// Signature implements Spec.
func (s Conv2D) Signature() ([]Operand, int) {
	ranks := []int{4, 4}
	for _, p := range []struct {
		on   bool
		rank int
	}{{s.Bias, 1}, {s.SampleBias, 2}, {s.Residual, 4}} {
		if p.on {
			ranks = append(ranks, p.rank)
		}
	}
	return reals(ranks...), 4
}

// Shape implements Spec.
func (s Conv2D) Shape(in []tensor.Shape) (tensor.Shape, error) {
	x, w := in[0], in[1]
	if s.Kernel != 1 && s.Kernel != 3 {
		return nil, fmt.Errorf("kernel size %d, want 1 or 3", s.Kernel)
	}
	if err := want("weight", w, w[0], x[1], s.Kernel, s.Kernel); err != nil {
		return nil, err
	}
	out := tensor.Shape{x[0], w[0], x[2], x[3]}
	t := s.terms()
	if t.bias >= 0 {
		if err := want("bias", in[t.bias], w[0]); err != nil {
			return nil, err
		}
	}
	if t.sample >= 0 {
		if err := want("per-sample bias", in[t.sample], x[0], w[0]); err != nil {
			return nil, err
		}
	}
	if t.residual >= 0 {
		if err := want("residual", in[t.residual], out...); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Differentiable implements Spec.
func (s Conv2D) Differentiable() []bool {
	in, _ := s.Signature()
	d := make([]bool, len(in))
	for i := range d {
		d[i] = true
	}
	return d
}

// Gradients implements Spec.
func (s Conv2D) Gradients(in gorgonia.Nodes, _, g *gorgonia.Node) (gorgonia.Nodes, error) {
	b := Builder{}
	grads := make(gorgonia.Nodes, len(in))
	t := s.terms()
	// The gradients run in the order of their creation: first those that only read g, while
	// the cache still has some of it.
	if t.bias >= 0 || t.sample >= 0 {
		perSample := b.Apply(SumHW{Scale: s.Scale}, g)
		if t.sample >= 0 {
			grads[t.sample] = perSample
		}
		if t.bias >= 0 {
			grads[t.bias] = b.Apply(SumN{}, perSample)
		}
	}
	if t.residual >= 0 {
		grads[t.residual] = b.Scale(g, s.Scale)
	}
	grads[0] = b.Apply(Conv2DData{Kernel: s.Kernel, Scale: s.Scale}, g, in[1])
	grads[1] = b.Apply(Conv2DWeights{Kernel: s.Kernel, Scale: s.Scale}, in[0], g)
	return grads, b.Err
}

// geometry returns the convolution of an input image batch with a weight.
func geometry(x, w tensor.Shape) ref.Conv {
	return ref.Conv{N: x[0], Cin: w[1], Cout: w[0], H: x[2], W: x[3], K: w[2]}
}

func (s Conv2D) Eval32(a *Args[float32]) { conv2d(s, a) }
func (s Conv2D) Eval64(a *Args[float64]) { conv2d(s, a) }

func conv2d[T ref.Float](s Conv2D, a *Args[T]) {
	ref.Conv2D(geometry(a.InShape[0], a.InShape[1]), a.Out, a.In[0], a.In[1])
	t := s.terms()
	at := func(i int) []T {
		if i < 0 {
			return nil
		}
		return a.In[i]
	}
	ref.ConvEpilogue(image(a.OutShape), a.Out, at(t.bias), at(t.sample), at(t.residual), T(s.Scale))
}

// Signature implements Spec.
func (s Conv2DData) Signature() ([]Operand, int) { return reals(4, 4), 4 }

// Shape implements Spec.
func (s Conv2DData) Shape(in []tensor.Shape) (tensor.Shape, error) {
	g, w := in[0], in[1]
	if err := want("weight", w, g[1], w[1], s.Kernel, s.Kernel); err != nil {
		return nil, err
	}
	return tensor.Shape{g[0], w[1], g[2], g[3]}, nil
}

func (s Conv2DData) Eval32(a *Args[float32]) { conv2dData(s, a) }
func (s Conv2DData) Eval64(a *Args[float64]) { conv2dData(s, a) }

func conv2dData[T ref.Float](s Conv2DData, a *Args[T]) {
	ref.Conv2DData(geometry(a.OutShape, a.InShape[1]), a.Out, a.In[0], a.In[1])
	ref.Scale(a.Out, a.Out, T(s.Scale))
}

// Signature implements Spec.
func (s Conv2DWeights) Signature() ([]Operand, int) { return reals(4, 4), 4 }

// Shape implements Spec.
func (s Conv2DWeights) Shape(in []tensor.Shape) (tensor.Shape, error) {
	x, g := in[0], in[1]
	if err := want("gradient", g, x[0], g[1], x[2], x[3]); err != nil {
		return nil, err
	}
	return tensor.Shape{g[1], x[1], s.Kernel, s.Kernel}, nil
}

func (s Conv2DWeights) Eval32(a *Args[float32]) { conv2dWeights(s, a) }
func (s Conv2DWeights) Eval64(a *Args[float64]) { conv2dWeights(s, a) }

func conv2dWeights[T ref.Float](s Conv2DWeights, a *Args[T]) {
	ref.Conv2DWeights(geometry(a.InShape[0], a.OutShape), a.Out, a.In[0], a.In[1])
	ref.Scale(a.Out, a.Out, T(s.Scale))
}
