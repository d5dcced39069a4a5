package model

import (
	"context"
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// vjpProgram is the compiled pair of D and its product with a cotangent.
type vjpProgram struct {
	*program
	cotangent, grad []float32 // [n,C,H,W]
}

// VJP writes D(x; sigma) to dst and J^T v to grad, J being the derivative of D
// by x and v the cotangent: the gradient of sum(v * D) by x. All four are [N,
// C*H*W] and do not alias; labels is [N, LabelDim], or nil for the zero label.
// It takes one pass forwards and one back, in float32; an image's result does
// not depend on the others in the batch. It runs at most the Denoiser's batch at
// a time.
func (d *Denoiser) VJP(ctx context.Context, dst, grad, x []float64, sigma float64, cotangent []float64, labels []float32) error {
	dim, classes := d.model.config.Dim(), d.model.config.Network.LabelDim
	if len(x)%dim != 0 || len(dst) != len(x) || len(grad) != len(x) || len(cotangent) != len(x) {
		return fmt.Errorf("model: vjp: %d, %d, %d and %d elements of D, gradient, x and cotangent, want equal multiples of %d",
			len(dst), len(grad), len(x), len(cotangent), dim)
	}
	n := len(x) / dim
	if labels != nil && len(labels) != n*classes {
		return fmt.Errorf("model: vjp: %d label values for %d images of %d classes", len(labels), n, classes)
	}
	for at := 0; at < n; at += d.batch {
		if err := ctx.Err(); err != nil {
			return err
		}
		end := min(at+d.batch, n)
		p, err := d.model.vjpProgram(end - at)
		if err != nil {
			return err
		}
		var rows []float32
		if len(labels) > 0 {
			rows = labels[at*classes : end*classes]
		}
		a, b := at*dim, end*dim
		if err := p.run(d, dst[a:b], grad[a:b], x[a:b], sigma, cotangent[a:b], rows); err != nil {
			return err
		}
	}
	return nil
}

// run computes one batch.
func (p *vjpProgram) run(d *Denoiser, dst, grad, x []float64, sigma float64, cotangent []float64, labels []float32) error {
	n := len(x) / p.dim
	if err := p.setWeights(d.weights, d.version); err != nil {
		return err
	}
	if err := setRows("class labels", p.labels, labels, n, n); err != nil {
		return err
	}
	for i := range n {
		p.setSigma(i, sigma)
	}
	for i, v := range x {
		p.x[i], p.cotangent[i] = float32(v), float32(cotangent[i])
	}
	if err := p.RunAll(); err != nil {
		return err
	}
	for i, v := range p.out {
		dst[i], grad[i] = float64(v), float64(p.grad[i])
	}
	return nil
}

// vjpProgram returns the program of D and its gradient for n images. It is a
// graph of its own: Gorgonia differentiates a graph only once.
func (m *Model) vjpProgram(n int) (*vjpProgram, error) {
	if p := m.vjp[n]; p != nil {
		return p, nil
	}
	g := newGraph(n, tensor.Float32)
	x, cotangent := g.images("x", m.config.Network), g.images("cotangent", m.config.Network)
	if err := g.denoise(m.config, x, false); err != nil {
		return nil, err
	}
	grads, err := gorgonia.Backpropagate(gorgonia.Nodes{g.d}, gorgonia.Nodes{cotangent}, gorgonia.Nodes{x})
	if err != nil {
		return nil, fmt.Errorf("model: differentiate D by x: %w", err)
	}
	p := &vjpProgram{}
	if p.program, err = m.compile(g, g.d, grads[0]); err != nil {
		return nil, err
	}
	for _, b := range []struct {
		node *gorgonia.Node
		to   *[]float32
	}{{x, &p.x}, {cotangent, &p.cotangent}, {g.d, &p.out}, {grads[0], &p.grad}} {
		if *b.to, err = p.input(b.node); err != nil {
			return nil, err
		}
	}
	if m.vjp == nil {
		m.vjp = map[int]*vjpProgram{}
	}
	m.vjp[n] = p
	return p, nil
}
