package unet

import (
	"math"

	"gorgonia.org/gorgonia"

	"edm/internal/op"
)

// linear adds y = scale * x w^T + b.
func (s *scope) linear(name string, x *gorgonia.Node, out int, bias bool, scale float64) *gorgonia.Node {
	if s.Err != nil {
		return nil
	}
	in := x.Shape()[1]
	w := s.param(name+".weight", xavier(in, out, 1), out, in)
	if !bias {
		return s.Apply(op.Linear{Scale: scale}, x, w)
	}
	return s.Apply(op.Linear{Bias: true, Scale: scale}, x, w, s.param(name+".bias", Init{}, out))
}

// embedding adds the vector [N, ChannelMultEmb*ModelChannels] that tells every
// block the noise level, the class and the augmentation.
func (c Config) embedding(s *scope, in Inputs) *gorgonia.Node {
	noise, width := c.ChannelMultNoise*c.ModelChannels, c.ChannelMultEmb*c.ModelChannels
	emb := s.Apply(op.Positional{Channels: noise, MaxPositions: 10000, Endpoint: true, SinFirst: true}, in.NoiseLabels)
	if c.LabelDim > 0 {
		// The factor gives a one-hot row the norm of a row of unit variance.
		emb = s.Add(emb, s.linear("map_label", in.ClassLabels, noise, true, math.Sqrt(float64(c.LabelDim))))
	}
	if c.AugmentDim > 0 {
		emb = s.Add(emb, s.linear("map_augment", in.AugmentLabels, noise, false, 1))
	}
	emb = s.SiLU(s.linear("map_layer0", emb, width, true, 1))
	return s.SiLU(s.linear("map_layer1", emb, width, true, 1))
}
