package classifier

import (
	"fmt"
	"math"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"edm/internal/op"
	"edm/model"
	"edm/unet"
)

const normEps = 1e-6

// network is a classifier's graph for n images under construction.
type network struct {
	op.Builder
	graph  *gorgonia.ExprGraph
	config Config
	params []param

	x, cIn, cNoise *gorgonia.Node // [n,C,H,W], [n], [n]
	logits         *gorgonia.Node // [n,Classes]
}

// param is a parameter of one graph.
type param struct {
	name  string
	shape []int
	init  unet.Init
	node  *gorgonia.Node
}

// newNetwork builds the logits of n images.
func newNetwork(c Config, n int) (*network, error) {
	b := &network{graph: gorgonia.NewGraph(), config: c}
	b.x = b.input("x", n, c.Channels, c.Resolution, c.Resolution)
	b.cIn, b.cNoise = b.input("c_in", n), b.input("c_noise", n)
	b.logits = b.encoder()
	if b.Err != nil {
		return nil, fmt.Errorf("classifier: build: %w", b.Err)
	}
	return b, nil
}

// encoder adds the network: two residual blocks at each resolution, the mean
// over pixels, and a linear layer that starts at zero.
func (b *network) encoder() *gorgonia.Node {
	filter, err := op.NewFilter(1, 1)
	if err != nil {
		b.Err = err
		return nil
	}
	width := b.config.ModelChannels
	emb := b.Apply(op.Positional{Channels: width, MaxPositions: 10000, Endpoint: true, SinFirst: true}, b.cNoise)
	emb = b.SiLU(b.linear("map_layer0", emb, 4*width, 1))
	h := b.Apply(op.SampleScale{}, b.x, b.cIn)
	h = b.conv("conv", h, width, 3, op.Conv2D{Bias: true, Scale: 1})
	for i, m := range b.config.ChannelMult {
		if i > 0 {
			h = b.Apply(op.Down{Filter: filter, Gain: 1}, h)
		}
		for k := range 2 {
			h = b.residual(fmt.Sprintf("level%d_block%d", i, k), h, emb, m*width)
		}
	}
	return b.linear("out", b.Apply(op.MeanHW{}, b.groupNorm("norm", h)), b.config.Classes, 0)
}

// residual adds a block of two normalised convolutions, with the noise level's
// embedding added between them, and a skip connection.
func (b *network) residual(name string, x, emb *gorgonia.Node, out int) *gorgonia.Node {
	if b.Err != nil {
		return nil
	}
	shift := b.linear(name+".affine", emb, out, 1)
	// The shift has a bias of its own, and so the convolution none.
	h := b.conv(name+".conv0", b.groupNorm(name+".norm0", x), out, 3, op.Conv2D{SampleBias: true, Scale: 1}, shift)
	if b.Err == nil && x.Shape()[1] != out {
		x = b.conv(name+".skip", x, out, 1, op.Conv2D{Scale: 1})
	}
	return b.conv(name+".conv1", b.groupNorm(name+".norm1", h), out, 3, op.Conv2D{Bias: true, Residual: true, Scale: math.Sqrt(0.5)}, x)
}

func (b *network) input(name string, shape ...int) *gorgonia.Node {
	return gorgonia.NewTensor(b.graph, tensor.Float32, len(shape), gorgonia.WithShape(shape...), gorgonia.WithName(name))
}

func (b *network) param(name string, init unet.Init, shape ...int) *gorgonia.Node {
	n := b.input("param."+name, shape...)
	b.params = append(b.params, param{name, shape, init, n})
	return n
}

// xavier is Glorot's uniform initialisation times gain.
func xavier(fanIn, fanOut int, gain float64) unet.Init {
	return unet.Init{Bound: gain * math.Sqrt(6/float64(fanIn+fanOut))}
}

// conv adds a convolution; its bias, if any, comes before the terms.
func (b *network) conv(name string, x *gorgonia.Node, out, kernel int, spec op.Conv2D, terms ...*gorgonia.Node) *gorgonia.Node {
	if b.Err != nil {
		return nil
	}
	in, area := x.Shape()[1], kernel*kernel
	spec.Kernel = kernel
	args := gorgonia.Nodes{x, b.param(name+".weight", xavier(in*area, out*area, 1), out, in, kernel, kernel)}
	if spec.Bias {
		args = append(args, b.param(name+".bias", unet.Init{}, out))
	}
	return b.Apply(spec, append(args, terms...)...)
}

func (b *network) linear(name string, x *gorgonia.Node, out int, gain float64) *gorgonia.Node {
	if b.Err != nil {
		return nil
	}
	in := x.Shape()[1]
	return b.Apply(op.Linear{Bias: true, Scale: 1}, x,
		b.param(name+".weight", xavier(in, out, gain), out, in), b.param(name+".bias", unet.Init{}, out))
}

// groupNorm adds a group norm with its parameters, then SiLU.
func (b *network) groupNorm(name string, x *gorgonia.Node) *gorgonia.Node {
	if b.Err != nil {
		return nil
	}
	c := x.Shape()[1]
	return b.GroupNorm(x, b.param(name+".weight", unet.Init{Value: 1}, c), b.param(name+".bias", unet.Init{}, c), c/groupSize, normEps, true)
}

// alignment of a parameter in a flat buffer, in elements: one cache line.
const alignment = 16

// newLayout lists the parameters, and their initial values beside them.
func newLayout(c Config) (model.Layout, []unet.Init, error) {
	b, err := newNetwork(c, 1)
	if err != nil {
		return model.Layout{}, nil, err
	}
	var l model.Layout
	var inits []unet.Init
	for _, p := range b.params {
		n := tensor.Shape(p.shape).TotalSize()
		l.Params = append(l.Params, model.Param{Name: p.name, Shape: p.shape, Offset: l.Size, Len: n})
		inits = append(inits, p.init)
		l.Size += (n + alignment - 1) / alignment * alignment
		l.Count += n
	}
	return l, inits, nil
}
