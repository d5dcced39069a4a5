package unet

import (
	"math"

	"gorgonia.org/gorgonia"

	"edm/internal/op"
)

const (
	normEps  = 1e-6
	gainZero = 1e-5 // of layers that end a residual branch: they start near zero
)

var (
	gainAttn  = math.Sqrt(0.2) // of attention's qkv
	skipScale = math.Sqrt(0.5) // keeps the variance of a sum of two unit-variance terms
)

// resampling is what a block does to the image size.
type resampling int

const (
	keep resampling = iota
	down
	up
)

// block is one residual block.
type block struct {
	name      string
	out       int
	resample  resampling
	attention bool
}

// groupNorm adds a group norm with its parameters, then SiLU if asked for.
func (s *scope) groupNorm(name string, x *gorgonia.Node, silu bool) *gorgonia.Node {
	if s.Err != nil {
		return nil
	}
	c := x.Shape()[1]
	return s.GroupNorm(x, s.param(name+".weight", Init{Value: 1}, c), s.param(name+".bias", Init{}, c), groupCount(c), normEps, silu)
}

// extras are what a convolution adds after its sum.
type extras struct {
	sample, residual *gorgonia.Node // nil: none
	scale            float64
}

// conv adds a convolution with bias.
func (s *scope) conv(name string, x *gorgonia.Node, out, kernel int, gain float64, e extras) *gorgonia.Node {
	if s.Err != nil {
		return nil
	}
	in, area := x.Shape()[1], kernel*kernel
	spec := op.Conv2D{Kernel: kernel, Bias: true, SampleBias: e.sample != nil, Residual: e.residual != nil, Scale: e.scale}
	args := gorgonia.Nodes{
		x, s.param(name+".weight", xavier(in*area, out*area, gain), out, in, kernel, kernel),
		s.param(name+".bias", Init{}, out),
	}
	for _, n := range []*gorgonia.Node{e.sample, e.residual} {
		if n != nil {
			args = append(args, n)
		}
	}
	return s.Apply(spec, args...)
}

// resize applies the block's change of image size.
func (s *scope) resize(x *gorgonia.Node, r resampling) *gorgonia.Node {
	switch r {
	case down:
		return s.Apply(op.Down{Filter: s.filter, Gain: 1}, x)
	case up:
		return s.Apply(op.Up{Filter: s.filter, Gain: 4}, x)
	}
	return x
}

// dropout adds a dropout site in graphs for training.
func (s *scope) dropout(x *gorgonia.Node) *gorgonia.Node {
	site := s.sites
	s.sites++
	if s.drop == nil || s.Err != nil {
		return x
	}
	return s.Apply(op.Dropout{Site: site}, x, s.drop.P, s.drop.Key, s.drop.Counter)
}

// residual adds the block: two normalised convolutions with the embedding
// added between them, a skip connection, and optionally self-attention; each
// sum is scaled by sqrt(1/2).
func (s *scope) residual(b block, x, emb *gorgonia.Node) *gorgonia.Node {
	if s.Err != nil {
		return nil
	}
	h := s.resize(s.groupNorm(b.name+".norm0", x, true), b.resample)
	shift := s.linear(b.name+".affine", emb, b.out, true, 1)
	h = s.conv(b.name+".conv0", h, b.out, 3, 1, extras{sample: shift, scale: 1})
	h = s.dropout(s.groupNorm(b.name+".norm1", h, true))

	skip := s.resize(x, b.resample)
	if b.resample != keep || x.Shape()[1] != b.out {
		skip = s.conv(b.name+".skip", skip, b.out, 1, 1, extras{scale: 1})
	}
	h = s.conv(b.name+".conv1", h, b.out, 3, gainZero, extras{residual: skip, scale: skipScale})
	if !b.attention {
		return h
	}
	qkv := s.conv(b.name+".qkv", s.groupNorm(b.name+".norm2", h, false), 3*b.out, 1, gainAttn, extras{scale: 1})
	const heads = 1
	return s.conv(b.name+".proj", s.Attention(qkv, heads), b.out, 1, gainZero, extras{residual: h, scale: skipScale})
}

// concat joins two images along channels.
func (s *scope) concat(a, b *gorgonia.Node) *gorgonia.Node {
	return s.Apply(op.Concat{}, a, b)
}
