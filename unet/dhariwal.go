package unet

import (
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"

	"edm/internal/op"
)

// admHeadWidth is the least width of an attention head.
const admHeadWidth = 64

// admStyle returns ADM's blocks: the embedding scales and shifts the second
// norm, heads are 64 channels wide, and sums are not scaled.
func admStyle() style {
	return style{
		eps: 1e-5, skipScale: 1, adaptive: true, headWidth: admHeadWidth,
		hidden: kaiming, attention: kaiming, output: zeros,
	}
}

// dhariwal adds the ADM network (Dhariwal & Nichol 2021, App. B): encoder and
// decoder as in DDPM++, with ADM's blocks.
func (c Config) dhariwal(s *scope, in Inputs) *gorgonia.Node {
	emb := c.admEmbedding(s, in)
	x := s.conv(fmt.Sprintf("enc.%[1]dx%[1]d_conv", c.ImgResolution), in.X, c.stemChannels(), 3, s.hidden, extras{scale: 1})
	skips := gorgonia.Nodes{x}
	enc, _ := c.encoderBlocks()
	for _, b := range slices.Concat(enc...) {
		x = s.block(b, x, emb, nil)
		skips = append(skips, x)
	}
	for _, b := range slices.Concat(c.decoderBlocks()...) {
		x = s.block(b, x, emb, &skips)
	}
	return s.conv("out_conv", s.groupNorm("out_norm", x, true), c.OutChannels, 3, s.output, extras{scale: 1})
}

// admEmbedding adds the vector [N, ChannelMultEmb*ModelChannels] that tells
// every block the noise level and the augmentation, and the class by a vector
// of its own.
func (c Config) admEmbedding(s *scope, in Inputs) *gorgonia.Node {
	width := c.ChannelMultEmb * c.ModelChannels
	emb := s.Apply(op.Positional{Channels: c.ModelChannels, MaxPositions: 10000}, in.NoiseLabels)
	if c.AugmentDim > 0 {
		emb = s.Add(emb, s.linear("map_augment", in.AugmentLabels, c.ModelChannels, false, zeros))
	}
	emb = s.SiLU(s.linear("map_layer0", emb, width, true, s.hidden))
	emb = s.linear("map_layer1", emb, width, true, s.hidden)
	if c.LabelDim > 0 {
		emb = s.Add(emb, s.linear("map_label", in.ClassLabels, width, false, unitNormal))
	}
	return s.SiLU(emb)
}
