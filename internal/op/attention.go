package op

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"edm/internal/ref"
)

// AttnLSE is the log-sum-exp of each query's attention logits: packed qkv
// [N,3C,H,W], channels ordered head, channel, {q,k,v}, to [N,Heads,H*W]. Attn's
// gradient accounts for it.
type AttnLSE struct {
	leaf
	Heads int
}

// Attn is multi-head self-attention over pixels, softmax(q.k/sqrt(C/Heads)) v:
// inputs qkv [N,3C,H,W] and its AttnLSE; output [N,C,H,W]. The softmax is
// float32 at least.
type Attn struct{ Heads int }

// AttnGrad is Attn's gradient by qkv. Inputs: g, qkv, lse and Attn's output.
type AttnGrad struct {
	leaf
	Heads int
}

// output returns the shape of attention's output for packed qkv.
func output(qkv tensor.Shape, heads int) (tensor.Shape, error) {
	if heads < 1 || qkv[1]%(3*heads) != 0 {
		return nil, fmt.Errorf("%d channels do not divide into q, k, v of %d heads", qkv[1], heads)
	}
	return tensor.Shape{qkv[0], qkv[1] / 3, qkv[2], qkv[3]}, nil
}

func attention(y tensor.Shape, heads int) ref.Attention {
	return ref.Attention{Image: image(y), Heads: heads}
}

// Signature implements Spec.
func (s AttnLSE) Signature() ([]Operand, int) { return reals(4), 3 }

// Shape implements Spec.
func (s AttnLSE) Shape(in []tensor.Shape) (tensor.Shape, error) {
	x := in[0]
	_, err := output(x, s.Heads)
	return tensor.Shape{x[0], s.Heads, x[2] * x[3]}, err
}

func (s AttnLSE) Eval32(a *Args[float32]) { attnLSE(s, a) }
func (s AttnLSE) Eval64(a *Args[float64]) { attnLSE(s, a) }

func attnLSE[T ref.Float](s AttnLSE, a *Args[T]) {
	x := image(a.InShape[0])
	x.C /= 3
	ref.AttentionLSE(ref.Attention{Image: x, Heads: s.Heads}, a.Out, a.In[0])
}

// Signature implements Spec.
func (s Attn) Signature() ([]Operand, int) { return reals(4, 3), 4 }

// Shape implements Spec.
func (s Attn) Shape(in []tensor.Shape) (tensor.Shape, error) {
	y, err := output(in[0], s.Heads)
	if err != nil {
		return nil, err
	}
	return y, want("log-sum-exp", in[1], y[0], s.Heads, y[2]*y[3])
}

// Differentiable implements Spec.
func (s Attn) Differentiable() []bool { return []bool{true, false} }

// Gradients implements Spec.
func (s Attn) Gradients(in gorgonia.Nodes, out, g *gorgonia.Node) (gorgonia.Nodes, error) {
	dqkv, err := Apply(AttnGrad{Heads: s.Heads}, g, in[0], in[1], out)
	return gorgonia.Nodes{dqkv, nil}, err
}

func (s Attn) Eval32(a *Args[float32]) { attn(s, a) }
func (s Attn) Eval64(a *Args[float64]) { attn(s, a) }

func attn[T ref.Float](s Attn, a *Args[T]) {
	ref.AttentionApply(attention(a.OutShape, s.Heads), a.Out, a.In[0], a.In[1])
}

// Signature implements Spec.
func (s AttnGrad) Signature() ([]Operand, int) { return reals(4, 4, 3, 4), 4 }

// Shape implements Spec.
func (s AttnGrad) Shape(in []tensor.Shape) (tensor.Shape, error) {
	y, err := output(in[1], s.Heads)
	if err != nil {
		return nil, err
	}
	if err := want("gradient", in[0], y...); err != nil {
		return nil, err
	}
	if err := want("log-sum-exp", in[2], y[0], s.Heads, y[2]*y[3]); err != nil {
		return nil, err
	}
	return in[1].Clone(), want("output", in[3], y...)
}

func (s AttnGrad) Eval32(a *Args[float32]) { attnGrad(s, a) }
func (s AttnGrad) Eval64(a *Args[float64]) { attnGrad(s, a) }

func attnGrad[T ref.Float](s AttnGrad, a *Args[T]) {
	ref.AttentionGrad(attention(a.InShape[0], s.Heads), a.Out, a.In[0], a.In[1], a.In[2], a.In[3])
}
