package unet

import (
	"fmt"
	"math"

	"gorgonia.org/gorgonia"

	"edm/internal/op"
)

// songStyle returns the blocks of DDPM++ and NCSN++: sums of two terms of unit
// variance are scaled by sqrt(1/2), and branches start near zero.
func songStyle() style {
	return style{
		eps: 1e-6, skipScale: math.Sqrt(0.5), project: true,
		hidden: xavier(1), attention: xavier(math.Sqrt(0.2)), output: xavier(1e-5),
	}
}

// song adds DDPM++ or NCSN++: an encoder that halves the image between levels
// and a decoder that mirrors it. The encoder may read the image again at every
// level (skip, residual), the decoder may write one at every level (skip).
func (c Config) song(s *scope, in Inputs) *gorgonia.Node {
	emb := c.songEmbedding(s, in)
	x, skips := c.songEncoder(s, in.X, emb)
	return c.songDecoder(s, x, emb, skips)
}

// songEmbedding adds the vector [N, ChannelMultEmb*ModelChannels] that tells
// every block the noise level, the class and the augmentation.
func (c Config) songEmbedding(s *scope, in Inputs) *gorgonia.Node {
	noise, width := c.ChannelMultNoise*c.ModelChannels, c.ChannelMultEmb*c.ModelChannels
	var emb *gorgonia.Node
	if c.EmbeddingType == "fourier" {
		freqs := s.frozen("map_noise.freqs", Init{Std: 16}, noise/2)
		emb = s.Apply(op.Fourier{SinFirst: true}, in.NoiseLabels, freqs)
	} else {
		emb = s.Apply(op.Positional{Channels: noise, MaxPositions: 10000, Endpoint: true, SinFirst: true}, in.NoiseLabels)
	}
	if c.LabelDim > 0 {
		// The factor gives a one-hot row the norm of a row of unit variance.
		labels := s.Scale(in.ClassLabels, math.Sqrt(float64(c.LabelDim)))
		emb = s.Add(emb, s.linear("map_label", labels, noise, true, s.hidden))
	}
	if c.AugmentDim > 0 {
		emb = s.Add(emb, s.linear("map_augment", in.AugmentLabels, noise, false, s.hidden))
	}
	emb = s.SiLU(s.linear("map_layer0", emb, width, true, s.hidden))
	return s.SiLU(s.linear("map_layer1", emb, width, true, s.hidden))
}

// songEncoder returns the encoder's result and every output that the decoder
// reads.
func (c Config) songEncoder(s *scope, image, emb *gorgonia.Node) (*gorgonia.Node, gorgonia.Nodes) {
	top := fmt.Sprintf("enc.%[1]dx%[1]d_conv", c.ImgResolution)
	x := s.conv(top, image, c.stemChannels(), 3, s.hidden, extras{scale: 1})
	skips := gorgonia.Nodes{x}
	levels, _ := c.encoderBlocks()
	aux := image
	for i, blocks := range levels {
		for _, b := range blocks {
			x = s.block(b, x, emb, nil)
			if b.resample == down {
				res, _, _ := c.level(i)
				x, aux = c.readAgain(s, fmt.Sprintf("enc.%[1]dx%[1]d_aux_", res), x, aux)
			}
			skips = append(skips, x)
		}
	}
	return x, skips
}

// readAgain joins the image, halved once more, to a level's input x (NCSN++:
// Song et al. 2021, App. C.1) and returns the sum and what the next level
// halves: the image itself, or with residual the sum.
func (c Config) readAgain(s *scope, prefix string, x, aux *gorgonia.Node) (sum, next *gorgonia.Node) {
	if s.Err != nil {
		return nil, nil
	}
	width := x.Shape()[1]
	switch c.EncoderType {
	case "skip":
		aux = s.resize(aux, down)
		return s.conv(prefix+"skip", aux, width, 1, s.hidden, extras{residual: x, scale: 1}), aux
	case "residual":
		sum = s.Scale(s.Add(x, s.convDown(prefix+"residual", aux, width)), s.skipScale)
		return sum, sum
	}
	return x, aux
}

// convDown adds a 3x3 convolution followed by halving, as one linear map of an
// image that is zero outside: near an edge the filter also meets sums of the
// convolution outside the image, so these are computed and cut off afterwards.
func (s *scope) convDown(name string, x *gorgonia.Node, out int) *gorgonia.Node {
	reach := (s.filter.N - 1) / 2
	border := (reach + 1) / 2 // of the halved image
	if border > 0 {
		x = s.Apply(op.Pad{Width: 2 * border}, x)
	}
	x = s.resize(s.conv(name, x, out, 3, s.hidden, extras{scale: 1}), down)
	if border > 0 {
		x = s.Apply(op.Crop{Width: border}, x)
	}
	return x
}

// songDecoder returns the network's output: that of the last level, or with
// skip the sum of every level's, doubled on the way.
func (c Config) songDecoder(s *scope, x, emb *gorgonia.Node, skips gorgonia.Nodes) *gorgonia.Node {
	var out *gorgonia.Node
	levels := c.decoderBlocks()
	for j, blocks := range levels {
		for _, b := range blocks {
			x = s.block(b, x, emb, &skips)
		}
		top := j == len(levels)-1
		if c.DecoderType != "skip" && !top {
			continue
		}
		e := extras{scale: 1}
		if out != nil {
			e.residual = s.resize(out, up)
		}
		res, _, _ := c.level(len(levels) - 1 - j)
		prefix := fmt.Sprintf("dec.%[1]dx%[1]d_aux_", res)
		out = s.conv(prefix+"conv", s.groupNorm(prefix+"norm", x, true), c.OutChannels, 3, s.output, e)
	}
	return out
}
