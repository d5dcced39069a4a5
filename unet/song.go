package unet

import (
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"
)

// song adds the DDPM++ network: an encoder that halves the image between
// levels, a decoder that mirrors it with one block more a level, each decoder
// block reading one encoder output, last first.
func (c Config) song(s *scope, in Inputs) *gorgonia.Node {
	emb := c.embedding(s, in)
	x, skips := c.encoder(s, in.X, emb)
	x = c.decoder(s, x, emb, skips)
	top := fmt.Sprintf("dec.%[1]dx%[1]d_aux_", c.ImgResolution)
	return s.conv(top+"conv", s.groupNorm(top+"norm", x, true), c.OutChannels, 3, gainZero, extras{scale: 1})
}

// level returns the resolution, channels and attention of a level.
func (c Config) level(i int) (res, channels int, attention bool) {
	res = c.ImgResolution >> i
	return res, c.ChannelMult[i] * c.ModelChannels, slices.Contains(c.AttnResolutions, res)
}

func (c Config) encoder(s *scope, x, emb *gorgonia.Node) (*gorgonia.Node, gorgonia.Nodes) {
	var skips gorgonia.Nodes
	width := c.ModelChannels
	for i := range c.ChannelMult {
		res, channels, attention := c.level(i)
		prefix := fmt.Sprintf("enc.%[1]dx%[1]d_", res)
		if i == 0 {
			x = s.conv(prefix+"conv", x, width, 3, 1, extras{scale: 1})
		} else {
			x = s.residual(block{name: prefix + "down", out: width, resample: down}, x, emb)
		}
		skips = append(skips, x)
		for k := range c.NumBlocks {
			x = s.residual(block{name: fmt.Sprintf("%sblock%d", prefix, k), out: channels, attention: attention}, x, emb)
			skips = append(skips, x)
		}
		width = channels
	}
	return x, skips
}

func (c Config) decoder(s *scope, x, emb *gorgonia.Node, skips gorgonia.Nodes) *gorgonia.Node {
	last := len(c.ChannelMult) - 1
	_, width, _ := c.level(last)
	for i := last; i >= 0; i-- {
		res, channels, attention := c.level(i)
		prefix := fmt.Sprintf("dec.%[1]dx%[1]d_", res)
		if i == last {
			x = s.residual(block{name: prefix + "in0", out: width, attention: true}, x, emb)
			x = s.residual(block{name: prefix + "in1", out: width}, x, emb)
		} else {
			x = s.residual(block{name: prefix + "up", out: width, resample: up}, x, emb)
		}
		for k := range c.NumBlocks + 1 {
			join := skips[len(skips)-1]
			skips = skips[:len(skips)-1]
			x = s.residual(block{
				name: fmt.Sprintf("%sblock%d", prefix, k), out: channels,
				attention: attention && k == c.NumBlocks,
			}, s.concat(x, join), emb)
		}
		width = channels
	}
	return x
}
