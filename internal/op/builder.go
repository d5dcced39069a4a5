package op

import (
	"gorgonia.org/gorgonia"
)

// Builder adds ops to a graph and keeps the first error: after one, every
// method returns nil and does nothing, so that a network reads as formulas and
// is checked once at its end.
type Builder struct{ Err error }

// Apply adds spec to the graph of its inputs.
func (b *Builder) Apply(spec Spec, in ...*gorgonia.Node) *gorgonia.Node {
	if b.Err != nil {
		return nil
	}
	n, err := Apply(spec, in...)
	b.Err = err
	return n
}

// Scale returns f*x, which is x itself for f = 1.
func (b *Builder) Scale(x *gorgonia.Node, f float64) *gorgonia.Node {
	if b.Err != nil || f == 1 {
		return x
	}
	return b.Apply(Scale{Rank: x.Dims(), Factor: f}, x)
}

// Add returns x+y.
func (b *Builder) Add(x, y *gorgonia.Node) *gorgonia.Node {
	if b.Err != nil {
		return nil
	}
	return b.Apply(Add{Rank: x.Dims()}, x, y)
}

// SiLU returns x*sigmoid(x).
func (b *Builder) SiLU(x *gorgonia.Node) *gorgonia.Node {
	if b.Err != nil {
		return nil
	}
	return b.Apply(SiLU{Rank: x.Dims()}, x)
}

// GroupNorm returns the group normalisation of x, then SiLU if asked for.
func (b *Builder) GroupNorm(x, gamma, beta *gorgonia.Node, groups int, eps float64, silu bool) *gorgonia.Node {
	stats := b.Apply(GNStats{Groups: groups, Eps: eps}, x)
	return b.Apply(GNApply{Groups: groups, SiLU: silu}, x, stats, gamma, beta)
}

// AdaptiveGroupNorm returns norm(x)*(1+scale) + shift, norm being the group
// normalisation with gamma and beta [C], then SiLU if asked for; mod [N,2C]
// holds the scales and then the shifts of each image.
func (b *Builder) AdaptiveGroupNorm(x, gamma, beta, mod *gorgonia.Node, groups int, eps float64, silu bool) *gorgonia.Node {
	gamma = b.Apply(Modulate{}, gamma, mod)
	beta = b.Apply(Modulate{Shift: true}, beta, mod)
	stats := b.Apply(GNStats{Groups: groups, Eps: eps}, x) // next to its reader: a backend may join the two
	return b.Apply(GNApply{Groups: groups, SiLU: silu, PerImage: true}, x, stats, gamma, beta)
}

// Attention returns multi-head self-attention over pixels of packed qkv
// [N,3C,H,W].
func (b *Builder) Attention(qkv *gorgonia.Node, heads int) *gorgonia.Node {
	lse := b.Apply(AttnLSE{Heads: heads}, qkv)
	return b.Apply(Attn{Heads: heads}, qkv, lse)
}
