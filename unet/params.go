package unet

import (
	"fmt"
	"math"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"edm/internal/op"
	"edm/internal/rng"
)

// Init is how a parameter starts.
type Init struct {
	Value float64 // constant part: 0 for weights and biases, 1 for norm scales
	Bound float64 // uniform in [-Bound, Bound] is added
}

// Fill writes the initial values of parameter number index of a run.
func (i Init) Fill(dst []float32, seed, index uint64) {
	r := rng.New(seed, rng.Init, index)
	for k := range dst {
		dst[k] = float32(i.Value + i.Bound*(2*r.Float64()-1))
	}
}

// xavier is Glorot's uniform initialisation times gain.
func xavier(fanIn, fanOut int, gain float64) Init {
	return Init{Bound: gain * math.Sqrt(6/float64(fanIn+fanOut))}
}

// Param is one parameter of a network: its name as in the published
// checkpoints without the "model." prefix, and its node in one graph.
type Param struct {
	Name  string
	Shape []int
	Init  Init
	Node  *gorgonia.Node
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

// scope is a graph under construction: it names and collects parameters.
type scope struct {
	op.Builder
	graph  *gorgonia.ExprGraph
	dtype  tensor.Dtype
	params []Param
	filter op.Filter
	sites  int
	drop   *Dropout
}

// param adds a parameter.
func (s *scope) param(name string, init Init, shape ...int) *gorgonia.Node {
	n := gorgonia.NewTensor(s.graph, s.dtype, len(shape), gorgonia.WithShape(shape...), gorgonia.WithName("param."+name))
	s.params = append(s.params, Param{name, shape, init, n})
	return n
}

// Build adds the network to the graph of its inputs and returns F
// [N,OutChannels,H,W] and the parameters in a fixed order.
func (c Config) Build(in Inputs) (*gorgonia.Node, []Param, error) {
	if err := c.Validate(); err != nil {
		return nil, nil, err
	}
	filter, err := op.NewFilter(c.ResampleFilter...)
	if err != nil {
		return nil, nil, err
	}
	s := &scope{graph: in.X.Graph(), dtype: in.X.Dtype(), filter: filter}
	if c.Dropout > 0 {
		s.drop = in.Dropout
	}
	f := c.song(s, in)
	if s.Err != nil {
		return nil, nil, fmt.Errorf("unet: build %s: %w", c.Arch, s.Err)
	}
	return f, s.params, nil
}
