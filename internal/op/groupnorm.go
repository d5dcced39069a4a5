package op

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"edm/internal/ref"
)

// GNStats is the mean and reciprocal standard deviation of each group of
// channels: x [N,C,H,W] to [N,Groups,2]. GNApply's gradient accounts for them,
// so they have none of their own.
type GNStats struct {
	leaf
	Groups int
	Eps    float64
}

// GNApply is group normalisation given its statistics, then SiLU if asked for:
// inputs x [N,C,H,W], stats [N,Groups,2], gamma [C], beta [C]; with PerImage
// gamma and beta are [N,C].
type GNApply struct {
	Groups         int
	SiLU, PerImage bool
}

// GNSums is the first half of GNApply's gradient: for each (n, c) the sums over
// pixels of d and d*xhat, d being the gradient before the affine map. Inputs:
// g, x, stats, gamma, beta; output [N,C,2].
type GNSums struct {
	leaf
	Groups         int
	SiLU, PerImage bool
}

// GNData is GNApply's gradient by x. Inputs: g, x, stats, gamma, beta, sums.
type GNData struct {
	leaf
	Groups         int
	SiLU, PerImage bool
}

// GNParam is GNApply's gradient by beta (Which = 0) or gamma (Which = 1), from
// sums [N,C,2]: [C], the sum over the batch, or with PerImage [N,C].
type GNParam struct {
	leaf
	Which    int
	PerImage bool
}

func groups(x tensor.Shape, n int) error {
	if n < 1 || x[1]%n != 0 {
		return fmt.Errorf("%d channels do not divide into %d groups", x[1], n)
	}
	return nil
}

// affine checks stats, gamma and beta against x.
func affine(x tensor.Shape, n int, perImage bool, stats, gamma, beta tensor.Shape) error {
	if err := groups(x, n); err != nil {
		return err
	}
	if err := want("statistics", stats, x[0], n, 2); err != nil {
		return err
	}
	shape := x[2-affineRank(perImage) : 2]
	if err := want("gamma", gamma, shape...); err != nil {
		return err
	}
	return want("beta", beta, shape...)
}

// affineRank returns the rank of gamma and beta.
func affineRank(perImage bool) int {
	if perImage {
		return 2
	}
	return 1
}

func norm(x tensor.Shape, n int, silu, perImage bool) ref.Norm {
	return ref.Norm{Image: image(x), Groups: n, SiLU: silu, PerImage: perImage}
}

// Signature implements Spec.
func (s GNStats) Signature() ([]Operand, int) { return reals(4), 3 }

// Shape implements Spec.
func (s GNStats) Shape(in []tensor.Shape) (tensor.Shape, error) {
	return tensor.Shape{in[0][0], s.Groups, 2}, groups(in[0], s.Groups)
}

func (s GNStats) Eval32(a *Args[float32]) {
	ref.NormStats(norm(a.InShape[0], s.Groups, false, false), a.Out, a.In[0], s.Eps)
}
func (s GNStats) Eval64(a *Args[float64]) {
	ref.NormStats(norm(a.InShape[0], s.Groups, false, false), a.Out, a.In[0], s.Eps)
}

// Signature implements Spec.
func (s GNApply) Signature() ([]Operand, int) {
	r := affineRank(s.PerImage)
	return reals(4, 3, r, r), 4
}

// Shape implements Spec.
func (s GNApply) Shape(in []tensor.Shape) (tensor.Shape, error) {
	return in[0].Clone(), affine(in[0], s.Groups, s.PerImage, in[1], in[2], in[3])
}

// InPlace implements InPlacer.
func (s GNApply) InPlace() []int { return []int{0} }

// Differentiable implements Spec.
func (s GNApply) Differentiable() []bool { return []bool{true, false, true, true} }

// Gradients implements Spec.
func (s GNApply) Gradients(in gorgonia.Nodes, _, g *gorgonia.Node) (gorgonia.Nodes, error) {
	x, stats, gamma, beta := in[0], in[1], in[2], in[3]
	b := Builder{}
	sums := b.Apply(GNSums{Groups: s.Groups, SiLU: s.SiLU, PerImage: s.PerImage}, g, x, stats, gamma, beta)
	return gorgonia.Nodes{
		b.Apply(GNData{Groups: s.Groups, SiLU: s.SiLU, PerImage: s.PerImage}, g, x, stats, gamma, beta, sums),
		nil,
		b.Apply(GNParam{Which: 1, PerImage: s.PerImage}, sums),
		b.Apply(GNParam{Which: 0, PerImage: s.PerImage}, sums),
	}, b.Err
}

func (s GNApply) Eval32(a *Args[float32]) { gnApply(s, a) }
func (s GNApply) Eval64(a *Args[float64]) { gnApply(s, a) }

func gnApply[T ref.Float](s GNApply, a *Args[T]) {
	ref.NormApply(norm(a.OutShape, s.Groups, s.SiLU, s.PerImage), a.Out, a.In[0], a.In[1], a.In[2], a.In[3])
}

// Signature implements Spec.
func (s GNSums) Signature() ([]Operand, int) {
	r := affineRank(s.PerImage)
	return reals(4, 4, 3, r, r), 3
}

// Shape implements Spec.
func (s GNSums) Shape(in []tensor.Shape) (tensor.Shape, error) {
	x := in[1]
	if err := want("gradient", in[0], x...); err != nil {
		return nil, err
	}
	return tensor.Shape{x[0], x[1], 2}, affine(x, s.Groups, s.PerImage, in[2], in[3], in[4])
}

func (s GNSums) Eval32(a *Args[float32]) { gnSums(s, a) }
func (s GNSums) Eval64(a *Args[float64]) { gnSums(s, a) }

func gnSums[T ref.Float](s GNSums, a *Args[T]) {
	ref.NormSums(norm(a.InShape[1], s.Groups, s.SiLU, s.PerImage), a.Out, a.In[0], a.In[1], a.In[2], a.In[3], a.In[4])
}

// Signature implements Spec.
func (s GNData) Signature() ([]Operand, int) {
	r := affineRank(s.PerImage)
	return reals(4, 4, 3, r, r, 3), 4
}

// Shape implements Spec.
func (s GNData) Shape(in []tensor.Shape) (tensor.Shape, error) {
	x := in[1]
	if err := want("gradient", in[0], x...); err != nil {
		return nil, err
	}
	if err := want("sums", in[5], x[0], x[1], 2); err != nil {
		return nil, err
	}
	return x.Clone(), affine(x, s.Groups, s.PerImage, in[2], in[3], in[4])
}

// InPlace implements InPlacer.
func (s GNData) InPlace() []int { return []int{0, 1} }

func (s GNData) Eval32(a *Args[float32]) { gnData(s, a) }
func (s GNData) Eval64(a *Args[float64]) { gnData(s, a) }

func gnData[T ref.Float](s GNData, a *Args[T]) {
	ref.NormData(norm(a.OutShape, s.Groups, s.SiLU, s.PerImage), a.Out, a.In[0], a.In[1], a.In[2], a.In[3], a.In[4], a.In[5])
}

// Signature implements Spec.
func (s GNParam) Signature() ([]Operand, int) { return reals(3), affineRank(s.PerImage) }

// Shape implements Spec.
func (s GNParam) Shape(in []tensor.Shape) (tensor.Shape, error) {
	x := in[0]
	return x[2-affineRank(s.PerImage) : 2].Clone(), want("sums", x, x[0], x[1], 2)
}

func (s GNParam) Eval32(a *Args[float32]) { gnParam(s, a) }
func (s GNParam) Eval64(a *Args[float64]) { gnParam(s, a) }

func gnParam[T ref.Float](s GNParam, a *Args[T]) {
	n, c := a.InShape[0][0], a.InShape[0][1]
	if s.PerImage {
		ref.NormParam(1, n*c, s.Which, a.Out, a.In[0])
		return
	}
	ref.NormParam(n, c, s.Which, a.Out, a.In[0])
}
