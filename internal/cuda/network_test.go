//go:build gpu

package cuda

import (
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"edm/internal/engine"
	"edm/internal/op"
	"edm/internal/testkit/optest"
	"edm/unet"
)

// network is the graph of a network's training: the squared error of each image and
// its gradient by every parameter.
type network struct {
	inputs, outputs gorgonia.Nodes
	loss            *gorgonia.Node
	blocks          []gorgonia.Nodes
}

func newNetwork(t *testing.T, c unet.Config, batch int) *network {
	t.Helper()
	g, n := gorgonia.NewGraph(), &network{}
	input := func(name string, dtype tensor.Dtype, shape ...int) *gorgonia.Node {
		x := gorgonia.NewTensor(g, dtype, len(shape), gorgonia.WithShape(shape...), gorgonia.WithName(name))
		n.inputs = append(n.inputs, x)
		return x
	}
	real := tensor.Float32
	in := unet.Inputs{
		X: input("x", real, batch, c.InChannels, c.ImgResolution, c.ImgResolution), NoiseLabels: input("noise", real, batch),
		Dropout: &unet.Dropout{
			P: input("p", real, 1), Key: input("key", tensor.Int64, 1), Counter: input("counter", tensor.Int64, batch),
		},
	}
	if c.LabelDim > 0 {
		in.ClassLabels = input("class", real, batch, c.LabelDim)
	}
	if c.AugmentDim > 0 {
		in.AugmentLabels = input("augment", real, batch, c.AugmentDim)
	}
	net, err := c.BuildNetwork(in)
	must(t, err)
	n.blocks = net.Blocks
	n.loss, err = op.Apply(op.SquaredError{}, net.F, input("y", real, net.F.Shape()...), input("weight", real, batch))
	must(t, err)
	var wrt gorgonia.Nodes
	for _, p := range net.Params {
		n.inputs = append(n.inputs, p.Node)
		if !p.Frozen {
			wrt = append(wrt, p.Node)
		}
	}
	grads, err := gorgonia.Backpropagate(gorgonia.Nodes{n.loss}, gorgonia.Nodes{input("cotangent", real, batch)}, wrt)
	must(t, err)
	n.outputs = append(gorgonia.Nodes{net.F, n.loss}, grads...)
	return n
}

// smallNetwork is one of an architecture with every block that it can have, for
// images whose pixels are not always a multiple of 4.
func smallNetwork(t *testing.T, arch string) *network {
	t.Helper()
	c, err := unet.ArchDefaults(arch)
	must(t, err)
	c.ImgResolution, c.InChannels, c.OutChannels, c.LabelDim, c.AugmentDim = 12, 3, 3, 4, 2
	c.ModelChannels, c.ChannelMult, c.NumBlocks, c.AttnResolutions, c.Dropout = 16, []int{1, 2, 2}, 1, []int{6}, 0.2
	if arch == unet.ADM {
		c.ImgResolution, c.ModelChannels, c.ChannelMult, c.AttnResolutions = 6, 64, []int{1, 1}, []int{3}
	}
	return newNetwork(t, c, 2)
}

// compile compiles the training for a backend. The blocks whose number is a multiple
// of forget, if that is not 0, are computed again for the gradients.
func (n *network) compile(t *testing.T, b engine.Backend, forget int) *engine.Program {
	t.Helper()
	f := engine.Forgetting{Until: n.loss}
	for i, block := range n.blocks {
		if forget == 0 || i%forget != 0 {
			continue
		}
		for _, x := range block {
			if x.Dims() == 4 {
				f.Values = append(f.Values, x)
			}
		}
	}
	p, err := engine.CompileForgetting(b, f, n.outputs...)
	must(t, err)
	return p
}

// run returns the outputs of the second run of the training, the one that is a graph.
func (n *network) run(t *testing.T, b engine.Backend, forget int) [][]float32 {
	t.Helper()
	m, err := engine.NewMachine(n.compile(t, b, forget))
	must(t, err)
	for i, x := range n.inputs {
		if !m.Uses(x) {
			continue
		}
		values := engine.NewBuffer(engine.Int64, x.Shape().TotalSize())
		if x.Dtype() == tensor.Float32 {
			values = engine.Buffer{F32: optest.Normal(uint64(i+1), x.Shape().TotalSize())}
		}
		for k := range values.F32 {
			values.F32[k] *= 0.2
		}
		for k := range values.I64 {
			values.I64[k] = int64(1000*i + k)
		}
		must(t, m.Bind(x, values))
	}
	must(t, m.RunAll(), m.RunAll())
	var out [][]float32
	for _, x := range n.outputs {
		v, err := m.Value(x)
		must(t, err)
		out = append(out, v.Data().([]float32))
	}
	must(t, m.Close())
	return out
}
