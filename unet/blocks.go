package unet

import (
	"gorgonia.org/gorgonia"

	"edm/internal/op"
)

// style distinguishes the residual blocks of one architecture.
type style struct {
	eps       float64 // of the group norms
	skipScale float64 // of the sum of a block's branches
	adaptive  bool    // the embedding scales and shifts the second norm; else it is added before it
	project   bool    // a resampled skip passes a 1x1 convolution even where channels agree
	headWidth int     // least channels of an attention head; 0: there is one head

	hidden, attention, output initialiser // of most layers, of qkv, of layers that end a branch
}

// style returns the blocks' style.
func (c Config) style() style {
	if c.Arch == ADM {
		return admStyle()
	}
	return songStyle()
}

// heads returns the number of attention heads over channels.
func (s style) heads(channels int) int {
	if s.headWidth == 0 {
		return 1
	}
	return channels / s.headWidth
}

// affine adds the parameters of a group norm.
func (s *scope) affine(name string, channels int) (gamma, beta *gorgonia.Node) {
	return s.param(name+".weight", Init{Value: 1}, channels), s.param(name+".bias", Init{}, channels)
}

// groupNorm adds a group norm with its parameters, then SiLU if asked for.
func (s *scope) groupNorm(name string, x *gorgonia.Node, silu bool) *gorgonia.Node {
	if s.Err != nil {
		return nil
	}
	channels := x.Shape()[1]
	gamma, beta := s.affine(name, channels)
	return s.GroupNorm(x, gamma, beta, groupCount(channels), s.eps, silu)
}

// linear adds y = x w^T, plus a bias if asked for.
func (s *scope) linear(name string, x *gorgonia.Node, out int, bias bool, init initialiser) *gorgonia.Node {
	if s.Err != nil {
		return nil
	}
	in := x.Shape()[1]
	weight, start := init(in, out)
	w := s.param(name+".weight", weight, out, in)
	if !bias {
		return s.Apply(op.Linear{Scale: 1}, x, w)
	}
	return s.Apply(op.Linear{Bias: true, Scale: 1}, x, w, s.param(name+".bias", start, out))
}

// extras are the terms that a convolution adds after its sum.
type extras struct {
	sample, residual *gorgonia.Node // nil: none
	scale            float64
}

// conv adds a convolution with bias.
func (s *scope) conv(name string, x *gorgonia.Node, out, kernel int, init initialiser, e extras) *gorgonia.Node {
	if s.Err != nil {
		return nil
	}
	in, area := x.Shape()[1], kernel*kernel
	weight, bias := init(in*area, out*area)
	spec := op.Conv2D{Kernel: kernel, Bias: true, SampleBias: e.sample != nil, Residual: e.residual != nil, Scale: e.scale}
	args := gorgonia.Nodes{
		x, s.param(name+".weight", weight, out, in, kernel, kernel), s.param(name+".bias", bias, out),
	}
	for _, n := range []*gorgonia.Node{e.sample, e.residual} {
		if n != nil {
			args = append(args, n)
		}
	}
	return s.Apply(spec, args...)
}

// resize applies a change of image size.
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

// block adds a residual block that reads x, and an encoder output if it joins
// one, and notes the nodes inside it.
func (s *scope) block(b block, x, emb *gorgonia.Node, skips *gorgonia.Nodes) *gorgonia.Node {
	before := len(s.graph.AllNodes())
	out := s.residual(b, s.joined(b, x, skips), emb)
	var inside gorgonia.Nodes
	for _, n := range s.graph.AllNodes()[before:] {
		if n.Op() != nil && n != out {
			inside = append(inside, n)
		}
	}
	s.blocks = append(s.blocks, inside)
	return out
}

// residual adds a block's operations: two normalised convolutions with the embedding
// between them, a skip connection, and optionally self-attention.
func (s *scope) residual(b block, x, emb *gorgonia.Node) *gorgonia.Node {
	if s.Err != nil {
		return nil
	}
	h := s.resize(s.groupNorm(b.name+".norm0", x, true), b.resample)
	h = s.dropout(s.embedded(b, h, emb))
	skip := s.resize(x, b.resample)
	if b.in != b.out || (s.project && b.resample != keep) {
		skip = s.conv(b.name+".skip", skip, b.out, 1, s.hidden, extras{scale: 1})
	}
	h = s.conv(b.name+".conv1", h, b.out, 3, s.output, extras{residual: skip, scale: s.skipScale})
	if !b.attention {
		return h
	}
	qkv := s.conv(b.name+".qkv", s.groupNorm(b.name+".norm2", h, false), 3*b.out, 1, s.attention, extras{scale: 1})
	a := s.Attention(qkv, s.heads(b.out))
	return s.conv(b.name+".proj", a, b.out, 1, s.output, extras{residual: h, scale: s.skipScale})
}

// embedded adds a block's first convolution and second norm, where the
// embedding comes in: as a term between them, or as the norm's scale and shift.
func (s *scope) embedded(b block, h, emb *gorgonia.Node) *gorgonia.Node {
	if !s.adaptive {
		term := s.linear(b.name+".affine", emb, b.out, true, s.hidden)
		h = s.conv(b.name+".conv0", h, b.out, 3, s.hidden, extras{sample: term, scale: 1})
		return s.groupNorm(b.name+".norm1", h, true)
	}
	mod := s.linear(b.name+".affine", emb, 2*b.out, true, s.hidden)
	h = s.conv(b.name+".conv0", h, b.out, 3, s.hidden, extras{scale: 1})
	gamma, beta := s.affine(b.name+".norm1", b.out)
	return s.AdaptiveGroupNorm(h, gamma, beta, mod, groupCount(b.out), s.eps, true)
}

// joined returns x with an encoder output appended along channels, for the
// blocks that read one.
func (s *scope) joined(b block, x *gorgonia.Node, skips *gorgonia.Nodes) *gorgonia.Node {
	if b.join == 0 {
		return x
	}
	last := len(*skips) - 1
	skip := (*skips)[last]
	*skips = (*skips)[:last]
	return s.Apply(op.Concat{}, x, skip)
}
