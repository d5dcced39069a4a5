package model

import (
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"edm/internal/engine"
	"edm/internal/op"
	"edm/unet"
)

// graph is one denoiser under construction for a fixed batch of n images. The
// coefficients of the preconditioning are inputs, computed in float64 outside.
type graph struct {
	op.Builder
	*gorgonia.ExprGraph
	dtype tensor.Dtype
	n     int

	cSkip, cOut, cIn, cNoise *gorgonia.Node // [n]
	labels, augment          *gorgonia.Node // [n,dim] or nil
	dropout                  *unet.Dropout  // nil in evaluation
	params                   []unet.Param
	flat                     gorgonia.Nodes   // outputs that go to flat buffers, as the parameters come from them
	pixels, normals          gorgonia.Nodes   // inputs that are mostly fed
	blocks                   []gorgonia.Nodes // inside each residual block
	d                        *gorgonia.Node   // D(x; sigma)
}

func newGraph(n int, dtype tensor.Dtype) *graph {
	return &graph{ExprGraph: gorgonia.NewGraph(), dtype: dtype, n: n}
}

// given returns the bindings of inputs and outputs. Those that lie in flat buffers
// have copies on a GPU.
func (g *graph) given() engine.Given {
	mirrored := slices.Clone(g.flat)
	for _, p := range g.params {
		mirrored = append(mirrored, p.Node)
	}
	return engine.Given{Mirrored: mirrored, Pixels: g.pixels, Normals: g.normals}
}

// input adds a named input of the graph's float type.
func (g *graph) input(name string, shape ...int) *gorgonia.Node {
	return gorgonia.NewTensor(g.ExprGraph, g.dtype, len(shape), gorgonia.WithShape(shape...), gorgonia.WithName(name))
}

// counter adds a named integer input.
func (g *graph) counter(name string, n int) *gorgonia.Node {
	return gorgonia.NewTensor(g.ExprGraph, tensor.Int64, 1, gorgonia.WithShape(n), gorgonia.WithName(name))
}

// images adds a named input of n images.
func (g *graph) images(name string, c unet.Config) *gorgonia.Node {
	return g.input(name, g.n, c.InChannels, c.ImgResolution, c.ImgResolution)
}

// denoise adds D(x; sigma) = c_skip x + c_out F(c_in x; c_noise).
func (g *graph) denoise(c Config, x *gorgonia.Node, training bool) error {
	n := c.Network
	g.cSkip, g.cOut = g.input("c_skip", g.n), g.input("c_out", g.n)
	g.cIn, g.cNoise = g.input("c_in", g.n), g.input("c_noise", g.n)
	if n.LabelDim > 0 {
		g.labels = g.input("class_labels", g.n, n.LabelDim)
	}
	if n.AugmentDim > 0 {
		g.augment = g.input("augment_labels", g.n, n.AugmentDim)
	}
	if training && n.Dropout > 0 {
		g.dropout = &unet.Dropout{P: g.input("dropout", 1), Key: g.counter("seed", 1), Counter: g.counter("counter", g.n)}
	}
	scaled := g.Apply(op.SampleScale{}, x, g.cIn)
	if g.Err != nil {
		return fmt.Errorf("model: %w", g.Err)
	}
	network, err := n.BuildNetwork(unet.Inputs{
		X: scaled, NoiseLabels: g.cNoise, ClassLabels: g.labels, AugmentLabels: g.augment, Dropout: g.dropout,
	})
	if err != nil {
		return fmt.Errorf("model: %w", err)
	}
	g.params, g.blocks = network.Params, network.Blocks
	f := network.F
	if c.narrows() {
		f = g.Apply(op.Narrow{From: 0, Len: c.Network.InChannels}, f)
	}
	g.d = g.Apply(op.Combine{}, x, f, g.cSkip, g.cOut)
	if g.Err != nil {
		return fmt.Errorf("model: %w", g.Err)
	}
	return nil
}
