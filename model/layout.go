package model

import (
	"fmt"
	"slices"

	"gorgonia.org/tensor"

	"edm/unet"
)

// Prefix stands before every parameter name in files, as in the published
// checkpoints: the network is the denoiser's member "model".
const Prefix = "model."

// alignment of a parameter in the flat buffer, in elements: one cache line.
const alignment = 16

// Param is one parameter's place in a flat buffer of weights. Gradients,
// moments and averages are buffers of the same layout; elements between
// parameters are padding and stay zero.
type Param struct {
	Name   string // with Prefix
	Shape  []int
	Offset int
	Len    int
	Frozen bool // a buffer of the network: saved with the weights, never trained
	init   unet.Init
}

// Layout is the flat arrangement of all parameters.
type Layout struct {
	Params []Param
	Size   int // elements of a flat buffer, padding included
	Count  int // elements of all parameters that are trained
}

// View returns the parameter's part of a flat buffer.
func (p Param) View(flat []float32) []float32 {
	return flat[p.Offset : p.Offset+p.Len : p.Offset+p.Len]
}

// newLayout lists the parameters of a network by building it once for a single
// image: the code that uses a parameter is the only place that declares it.
func newLayout(c Config) (Layout, error) {
	g := newGraph(1, tensor.Float32)
	if err := g.denoise(c, g.images("x", c.Network), false); err != nil {
		return Layout{}, err
	}
	var l Layout
	for _, p := range g.params {
		n := tensor.Shape(p.Shape).TotalSize()
		l.Params = append(l.Params, Param{Prefix + p.Name, slices.Clone(p.Shape), l.Size, n, p.Frozen, p.Init})
		l.Size += (n + alignment - 1) / alignment * alignment
		if !p.Frozen {
			l.Count += n
		}
	}
	return l, nil
}

// Init writes the initial weights of the run with the given seed to a flat
// buffer. A parameter's draws depend on its place in the list, not on others'
// sizes.
func (l Layout) Init(flat []float32, seed uint64) error {
	if len(flat) != l.Size {
		return fmt.Errorf("model: init: buffer of %d elements, want %d", len(flat), l.Size)
	}
	clear(flat)
	for i, p := range l.Params {
		p.init.Fill(p.View(flat), seed, uint64(i))
	}
	return nil
}
