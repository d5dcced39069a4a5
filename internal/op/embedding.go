package op

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"edm/internal/ref"
	"edm/internal/rng"
)

// Positional is the sinusoidal embedding of the noise label: t [N] to
// [N,Channels] (DDPM; EDM Table 1 feeds it c_noise). It has no gradient.
type Positional struct {
	leaf
	Channels           int
	MaxPositions       float64
	Endpoint, SinFirst bool
}

// Fourier is the random-frequency embedding of the noise label: t [N] and
// frequencies [K] to [N,2K], cos(2 pi f t) and sin(2 pi f t), cosines first or
// sines first with SinFirst (NCSN++: Song et al. 2021, App. C.1; after Tancik
// et al. 2020). It has no gradient: the frequencies are never trained.
type Fourier struct {
	leaf
	SinFirst bool
}

// Dropout zeroes elements with probability p and scales the rest by 1/(1-p);
// p = 0 is the identity. Inputs: x [N,C,H,W], p [1], key [1] and counter [N]
// (integers: the run's seed and each image's number). Site numbers the
// dropouts of a network, so that no two share a mask.
type Dropout struct{ Site int }

// DropoutBlocks is the number of random blocks of four words set apart for one
// image at one dropout site.
const DropoutBlocks = 1 << 20

// Signature implements Spec.
func (s Positional) Signature() ([]Operand, int) { return reals(1), 2 }

// Shape implements Spec.
func (s Positional) Shape(in []tensor.Shape) (tensor.Shape, error) {
	if s.Channels < 2 || s.Channels%2 != 0 {
		return nil, fmt.Errorf("%d channels, want an even number", s.Channels)
	}
	return tensor.Shape{in[0][0], s.Channels}, nil
}

func (s Positional) Eval32(a *Args[float32]) { positional(s, a) }
func (s Positional) Eval64(a *Args[float64]) { positional(s, a) }

func positional[T ref.Float](s Positional, a *Args[T]) {
	ref.PositionalEmbedding(ref.Positional{
		C: s.Channels, MaxPositions: s.MaxPositions, Endpoint: s.Endpoint, SinFirst: s.SinFirst,
	}, a.Out, a.In[0])
}

// Signature implements Spec.
func (s Fourier) Signature() ([]Operand, int) { return reals(1, 1), 2 }

// Shape implements Spec.
func (s Fourier) Shape(in []tensor.Shape) (tensor.Shape, error) {
	return tensor.Shape{in[0][0], 2 * in[1][0]}, nil
}

func (s Fourier) Eval32(a *Args[float32]) { ref.FourierEmbedding(s.SinFirst, a.Out, a.In[0], a.In[1]) }
func (s Fourier) Eval64(a *Args[float64]) { ref.FourierEmbedding(s.SinFirst, a.Out, a.In[0], a.In[1]) }

// Signature implements Spec.
func (s Dropout) Signature() ([]Operand, int) {
	return []Operand{{4, Real}, {1, Real}, {1, Whole}, {1, Whole}}, 4
}

// Shape implements Spec.
func (s Dropout) Shape(in []tensor.Shape) (tensor.Shape, error) {
	x := in[0]
	if size := x[1] * x[2] * x[3]; size > 4*DropoutBlocks {
		return nil, fmt.Errorf("%d elements an image, at most %d have masks", size, 4*DropoutBlocks)
	}
	if err := want("probability", in[1], 1); err != nil {
		return nil, err
	}
	if err := want("key", in[2], 1); err != nil {
		return nil, err
	}
	return x.Clone(), want("counter", in[3], x[0])
}

// InPlace implements InPlacer.
func (s Dropout) InPlace() []int { return []int{0} }

// Differentiable implements Spec.
func (s Dropout) Differentiable() []bool { return []bool{true, false, false, false} }

// Gradients implements Spec.
func (s Dropout) Gradients(in gorgonia.Nodes, _, g *gorgonia.Node) (gorgonia.Nodes, error) {
	dx, err := Apply(s, g, in[1], in[2], in[3])
	return gorgonia.Nodes{dx, nil, nil, nil}, err
}

func (s Dropout) Eval32(a *Args[float32]) { dropout(s, a) }
func (s Dropout) Eval64(a *Args[float64]) { dropout(s, a) }

func dropout[T ref.Float](s Dropout, a *Args[T]) {
	key := uint64(a.Whole[2][0])
	ref.Dropout(a.Out, a.In[0], float64(a.In[1][0]), a.Whole[3], uint32(s.Site*DropoutBlocks),
		func(counter int64, offset uint32) [4]uint32 {
			return rng.Block(key, rng.Dropout, uint64(counter), offset)
		})
}
