package model

import (
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"edm/internal/engine"
	"edm/internal/op"
)

// Objective adds the loss of each image to a graph: d and y [N,C,H,W] are the
// denoised and the clean images, weight [N]; the result is [N], summed over
// pixels. Package loss has them.
type Objective interface {
	Nodes(d, y, weight *gorgonia.Node) (*gorgonia.Node, error)
}

// Loss is the compiled objective for a fixed number of images, with or without
// gradients.
type Loss struct {
	program *program
	device  *Device
	n       int
	grads   []*gorgonia.Node
	twins   [][2]int // parameters with one gradient node: it is written to the first, copied to the second

	images, noise                         wide
	one, sigma, weight, gradient, dropout []float32
	key, counter                          []int64
	losses                                []float32
	grad                                  []float32 // gradient buffer now bound
}

// NewLoss compiles the objective for n images, with gradients by every
// parameter that is trained if training, in which case dropout is part of it.
func (m *Model) NewLoss(o Objective, n int, training bool) (*Loss, error) {
	return m.newLoss(o, n, training, Recompute{})
}

// NewRecomputingLoss is NewLoss with gradients whose program does not keep every
// value that they need.
func (m *Model) NewRecomputingLoss(o Objective, n int, r Recompute) (*Loss, error) {
	return m.newLoss(o, n, true, r)
}

func (m *Model) newLoss(o Objective, n int, training bool, r Recompute) (*Loss, error) {
	g, err := m.lossGraph(o, n, training)
	if err != nil {
		return nil, err
	}
	compiled, err := m.compileLoss(g, r)
	if err != nil {
		return nil, err
	}
	l := &Loss{device: m.device, n: n, grads: g.grads, twins: twins(g.grads)}
	if l.program, err = m.load(g.graph, compiled); err != nil {
		return nil, err
	}
	return l, l.bind(g)
}

// lossGraph is a graph of the loss; cotangent and grads are nil without
// training.
type lossGraph struct {
	*graph
	in                lossInputs
	losses, cotangent *gorgonia.Node
	grads             gorgonia.Nodes // nil for a frozen parameter
}

func (m *Model) lossGraph(o Objective, n int, training bool) (*lossGraph, error) {
	g := newGraph(n, tensor.Float32)
	c := m.config.Network
	l := &lossGraph{graph: g, in: lossInputs{
		y: g.images("y", c), noise: g.images("noise", c),
		one: g.input("one", n), sigma: g.input("sigma", n), weight: g.input("weight", n),
	}}
	g.normals = gorgonia.Nodes{l.in.noise}
	if !training || c.AugmentDim == 0 { // augmented images are no pixels
		g.pixels = gorgonia.Nodes{l.in.y}
	}
	var err error
	if l.losses, err = l.in.nodes(g, m.config, o, training); err != nil || !training {
		return l, err
	}
	l.cotangent = g.input("gradient", n)
	l.grads, err = gradients(g, l.losses, l.cotangent)
	g.flat = l.gradients()
	return l, err
}

// gradients returns those that there are.
func (l *lossGraph) gradients() gorgonia.Nodes {
	return slices.DeleteFunc(slices.Clone(l.grads), func(n *gorgonia.Node) bool { return n == nil })
}

// outputs returns the losses and, in training, the gradients.
func (l *lossGraph) outputs() gorgonia.Nodes {
	return append(gorgonia.Nodes{l.losses}, l.gradients()...)
}

// lossInputs are the inputs that only the loss has.
type lossInputs struct{ y, noise, one, sigma, weight *gorgonia.Node }

// nodes adds x = y + sigma*noise, D(x; sigma) and the loss of each image.
func (in lossInputs) nodes(g *graph, c Config, o Objective, training bool) (*gorgonia.Node, error) {
	x := g.Apply(op.Combine{}, in.y, in.noise, in.one, in.sigma)
	if g.Err != nil {
		return nil, fmt.Errorf("model: %w", g.Err)
	}
	if err := g.denoise(c, x, training); err != nil {
		return nil, err
	}
	losses, err := o.Nodes(g.d, in.y, in.weight)
	if err != nil {
		return nil, fmt.Errorf("model: loss: %w", err)
	}
	return losses, nil
}

// gradients adds the gradient of sum(cotangent * losses) by every parameter; it
// is nil for a frozen one.
func gradients(g *graph, losses, cotangent *gorgonia.Node) (gorgonia.Nodes, error) {
	var wrt gorgonia.Nodes
	for _, p := range g.params {
		if !p.Frozen {
			wrt = append(wrt, p.Node)
		}
	}
	trained, err := gorgonia.Backpropagate(gorgonia.Nodes{losses}, gorgonia.Nodes{cotangent}, wrt)
	if err != nil {
		return nil, fmt.Errorf("model: differentiate: %w", err)
	}
	grads := make(gorgonia.Nodes, len(g.params))
	for i, p := range g.params {
		if !p.Frozen {
			grads[i], trained = trained[0], trained[1:]
		}
	}
	return grads, nil
}

// twins returns pairs of indices with equal nodes. Equal expressions are one
// node: a convolution's bias and the bias of the embedding added to it have the
// same gradient.
func twins(nodes gorgonia.Nodes) [][2]int {
	first := map[*gorgonia.Node]int{}
	var pairs [][2]int
	for i, n := range nodes {
		if n == nil {
			continue
		}
		if k, ok := first[n]; ok {
			pairs = append(pairs, [2]int{k, i})
		} else {
			first[n] = i
		}
	}
	return pairs
}

// bind gives every input and the losses a buffer.
func (l *Loss) bind(g *lossGraph) error {
	targets := []struct {
		node *gorgonia.Node
		to   *[]float32
	}{
		{g.in.one, &l.one}, {g.in.sigma, &l.sigma}, {g.in.weight, &l.weight}, {g.losses, &l.losses}, {g.cotangent, &l.gradient},
	}
	l.images.node, l.noise.node = g.in.y, g.in.noise
	if g.dropout != nil {
		targets = append(targets, struct {
			node *gorgonia.Node
			to   *[]float32
		}{g.dropout.P, &l.dropout})
		l.key, l.counter = make([]int64, 1), make([]int64, l.n)
		if err := l.program.Bind(g.dropout.Key, engine.Buffer{I64: l.key}); err != nil {
			return err
		}
		if err := l.program.Bind(g.dropout.Counter, engine.Buffer{I64: l.counter}); err != nil {
			return err
		}
	}
	for _, t := range targets {
		if t.node == nil {
			continue
		}
		b, err := l.program.input(t.node)
		if err != nil {
			return err
		}
		*t.to = b
	}
	for i := range l.one {
		l.one[i] = 1
	}
	return nil
}

// N returns the number of images of a batch.
func (l *Loss) N() int { return l.n }

// Program returns the compiled program, for its plan and profile.
func (l *Loss) Program() *engine.Machine { return l.program.Machine }

// Close frees the device's memory of the program, which must not run again.
func (l *Loss) Close() error { return l.program.Close() }

// Run computes the loss of each image of b, as a mean over its pixels, into
// losses [n]. If l was compiled for training, the gradient of b.Gradient times
// the sum over images of the pixel sums is written to the flat buffer grad,
// where a frozen parameter's is zero; else grad is not used. The returned losses are those of the given weights.
func (l *Loss) Run(weights, grad []float32, losses []float64, b *Batch) error {
	if err := l.Start(weights, grad, b); err != nil {
		return err
	}
	return l.Wait(losses)
}

// Start begins a Run; Wait ends it. Between the two a GPU computes, and b may be
// changed for the next one.
func (l *Loss) Start(weights, grad []float32, b *Batch) error {
	if err := l.set(b); err != nil {
		return err
	}
	if err := l.program.setWeights(weights, 0); err != nil {
		return err
	}
	if err := l.setGrad(grad); err != nil {
		return err
	}
	return l.program.Start()
}

// Prefetch brings a batch to a GPU while it computes: that of the next Start,
// which is given the batch all the same. On other devices it does nothing.
func (l *Loss) Prefetch(b *Batch) error {
	if _, ok := l.device.backend.(engine.Executor); !ok {
		return nil
	}
	if err := l.set(b); err != nil {
		return err
	}
	return l.program.Prefetch()
}

// Wait ends the run that Start began and writes the losses [n].
func (l *Loss) Wait(losses []float64) error {
	if len(losses) != l.n {
		return fmt.Errorf("model: loss: %d losses, want %d", len(losses), l.n)
	}
	if err := l.program.Wait(); err != nil {
		return err
	}
	if l.grads != nil {
		if err := l.completeGrad(); err != nil {
			return err
		}
	}
	for i, v := range l.losses {
		losses[i] = float64(v) / float64(l.program.dim)
	}
	return nil
}

// completeGrad writes the parts of the gradient that the program does not.
func (l *Loss) completeGrad() error {
	params := l.program.layout.Params
	for _, pair := range l.twins {
		if err := l.device.Copy(params[pair[1]].View(l.grad), params[pair[0]].View(l.grad)); err != nil {
			return err
		}
	}
	for _, p := range params {
		if !p.Frozen {
			continue
		}
		if err := l.device.Clear(p.View(l.grad)); err != nil {
			return err
		}
	}
	return nil
}

// setGrad binds the flat gradient buffer.
func (l *Loss) setGrad(grad []float32) error {
	if l.grads == nil {
		return nil
	}
	if len(grad) != l.program.layout.Size {
		return fmt.Errorf("model: gradient of %d elements, want %d", len(grad), l.program.layout.Size)
	}
	if l.grad != nil && &l.grad[0] == &grad[0] {
		return nil
	}
	// From the last on, so that of twins the first has the last word.
	for i, p := range slices.Backward(l.program.layout.Params) {
		if p.Frozen {
			continue
		}
		if err := l.program.Bind(l.grads[i], engine.Buffer{F32: p.View(grad)}); err != nil {
			return err
		}
	}
	l.grad = grad
	return nil
}
