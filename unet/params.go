package unet

import (
	"errors"
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"edm/internal/op"
)

// Param is one parameter of a network: its name as in the published
// checkpoints without the "model." prefix, and its node in one graph.
type Param struct {
	Name   string
	Shape  []int
	Init   Init
	Frozen bool // a buffer: saved with the weights, never trained nor counted
	Node   *gorgonia.Node
}

// Inputs are the nodes that a network reads. ClassLabels and AugmentLabels are
// nil where the configuration has none; Dropout is nil in graphs for
// evaluation.
type Inputs struct {
	X             *gorgonia.Node // [N,InChannels,H,W], c_in times the noisy image
	NoiseLabels   *gorgonia.Node // [N], c_noise
	ClassLabels   *gorgonia.Node // [N,LabelDim], one-hot or zero
	AugmentLabels *gorgonia.Node // [N,AugmentDim]
	Dropout       *Dropout
}

// Dropout are the inputs of every dropout site.
type Dropout struct {
	P       *gorgonia.Node // [1], probability
	Key     *gorgonia.Node // [1] int64, the run's seed
	Counter *gorgonia.Node // [N] int64, the images' numbers
}

// check returns an error for every input whose presence or shape does not fit c.
func (c Config) check(in Inputs) error {
	if in.X == nil || in.X.Dims() != 4 {
		return errors.New("input X is missing or not [N,C,H,W]")
	}
	var errs []error
	n := in.X.Shape()[0]
	for _, v := range []struct {
		name  string
		node  *gorgonia.Node
		shape []int // the batch first; nil: there must be none
	}{
		{"X", in.X, []int{n, c.InChannels, c.ImgResolution, c.ImgResolution}},
		{"NoiseLabels", in.NoiseLabels, []int{n}},
		{"ClassLabels", in.ClassLabels, labels(n, c.LabelDim)},
		{"AugmentLabels", in.AugmentLabels, labels(n, c.AugmentDim)},
	} {
		switch {
		case v.shape == nil && v.node != nil:
			errs = append(errs, fmt.Errorf("input %s is given, the configuration has none", v.name))
		case v.shape != nil && v.node == nil:
			errs = append(errs, fmt.Errorf("input %s is missing, want shape %v", v.name, tensor.Shape(v.shape)))
		case v.node != nil && !slices.Equal(v.node.Shape(), v.shape):
			errs = append(errs, fmt.Errorf("input %s has shape %v, want %v", v.name, v.node.Shape(), tensor.Shape(v.shape)))
		}
	}
	return errors.Join(errs...)
}

// labels returns the shape of n rows of labels, or nil if there are none.
func labels(n, dim int) []int {
	if dim == 0 {
		return nil
	}
	return []int{n, dim}
}

// scope is a graph under construction: it names and collects parameters.
type scope struct {
	op.Builder
	style
	graph  *gorgonia.ExprGraph
	dtype  tensor.Dtype
	params []Param
	filter op.Filter
	sites  int
	drop   *Dropout
	blocks []gorgonia.Nodes
}

// param adds a parameter.
func (s *scope) param(name string, init Init, shape ...int) *gorgonia.Node {
	n := gorgonia.NewTensor(s.graph, s.dtype, len(shape), gorgonia.WithShape(shape...), gorgonia.WithName("param."+name))
	s.params = append(s.params, Param{Name: name, Shape: shape, Init: init, Node: n})
	return n
}

// frozen adds a parameter that is never trained.
func (s *scope) frozen(name string, init Init, shape ...int) *gorgonia.Node {
	n := s.param(name, init, shape...)
	s.params[len(s.params)-1].Frozen = true
	return n
}

// Network is a network in a graph.
type Network struct {
	F      *gorgonia.Node // [N,OutChannels,H,W]
	Params []Param        // in a fixed order
	// Blocks holds, for each residual block in the order of computation, the nodes
	// between what it reads and its output, in the order of theirs. They can be
	// computed from the outputs of earlier blocks, the embedding and parameters.
	Blocks []gorgonia.Nodes
}

// Build adds the network to the graph of its inputs and returns F
// [N,OutChannels,H,W] and the parameters in a fixed order.
func (c Config) Build(in Inputs) (*gorgonia.Node, []Param, error) {
	n, err := c.BuildNetwork(in)
	return n.F, n.Params, err
}

// BuildNetwork is Build that also tells the network's blocks.
func (c Config) BuildNetwork(in Inputs) (Network, error) {
	if err := c.Validate(); err != nil {
		return Network{}, err
	}
	if err := c.check(in); err != nil {
		return Network{}, fmt.Errorf("unet: build %s: %w", c.Arch, err)
	}
	filter, err := op.NewFilter(c.ResampleFilter...)
	if err != nil {
		return Network{}, err
	}
	s := &scope{style: c.style(), graph: in.X.Graph(), dtype: in.X.Dtype(), filter: filter}
	if c.Dropout > 0 {
		s.drop = in.Dropout
	}
	network := c.song
	if c.Arch == ADM {
		network = c.dhariwal
	}
	f := network(s, in)
	if s.Err != nil {
		return Network{}, fmt.Errorf("unet: build %s: %w", c.Arch, s.Err)
	}
	return Network{F: f, Params: s.params, Blocks: s.blocks}, nil
}
