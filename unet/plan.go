package unet

import (
	"fmt"
	"slices"
)

// resampling is the change of the image size in a block.
type resampling int

const (
	keep resampling = iota
	down
	up
)

// block is one residual block.
type block struct {
	name      string
	in, out   int // channels
	join      int // of in, those of the encoder output that a decoder block reads
	resample  resampling
	attention bool
}

// Factor returns the number that the image size must be divisible by.
func (c Config) Factor() int { return 1 << max(0, len(c.ChannelMult)-1) }

// Levels returns the image size of every level, largest first.
func (c Config) Levels() []int {
	sizes := make([]int, len(c.ChannelMult))
	for i := range sizes {
		sizes[i] = c.ImgResolution >> i
	}
	return sizes
}

// level returns the resolution, channels and attention of a level.
func (c Config) level(i int) (res, channels int, attention bool) {
	res = c.ImgResolution >> i
	return res, c.ChannelMult[i] * c.ModelChannels, slices.Contains(c.AttnResolutions, res)
}

// stemChannels returns the channels of the first convolution.
func (c Config) stemChannels() int {
	if c.Arch == ADM {
		return c.ModelChannels * c.ChannelMult[0]
	}
	return c.ModelChannels
}

// encoderBlocks returns the blocks of every level, largest images first, and
// the channels of every encoder output that the decoder reads: those of the
// first convolution and of each block.
func (c Config) encoderBlocks() (levels [][]block, skips []int) {
	width := c.stemChannels()
	skips = []int{width}
	for i := range c.ChannelMult {
		res, channels, attention := c.level(i)
		prefix := fmt.Sprintf("enc.%[1]dx%[1]d_", res)
		var blocks []block
		if i > 0 {
			blocks = append(blocks, block{name: prefix + "down", in: width, out: width, resample: down})
		}
		for k := range c.NumBlocks {
			blocks = append(blocks, block{name: fmt.Sprintf("%sblock%d", prefix, k), in: width, out: channels, attention: attention})
			width = channels
		}
		for _, b := range blocks {
			skips = append(skips, b.out)
		}
		levels = append(levels, blocks)
	}
	return levels, skips
}

// decoderBlocks returns the blocks of every level, smallest images first: they
// mirror the encoder with one block more a level, each reading one encoder
// output, last first. DDPM++ and NCSN++ attend once a level, ADM in every block.
func (c Config) decoderBlocks() (levels [][]block) {
	_, skips := c.encoderBlocks()
	last := len(c.ChannelMult) - 1
	_, width, _ := c.level(last)
	for i := last; i >= 0; i-- {
		res, channels, attention := c.level(i)
		prefix := fmt.Sprintf("dec.%[1]dx%[1]d_", res)
		blocks := []block{{name: prefix + "up", in: width, out: width, resample: up}}
		if i == last {
			blocks = []block{
				{name: prefix + "in0", in: width, out: width, attention: true},
				{name: prefix + "in1", in: width, out: width},
			}
		}
		for k := range c.NumBlocks + 1 {
			join := skips[len(skips)-1]
			skips = skips[:len(skips)-1]
			blocks = append(blocks, block{
				name: fmt.Sprintf("%sblock%d", prefix, k), in: width + join, join: join, out: channels,
				attention: attention && (c.Arch == ADM || k == c.NumBlocks),
			})
			width = channels
		}
		levels = append(levels, blocks)
	}
	return levels
}

// groupCount returns the number of groups of a group norm over channels: 32,
// but at least 4 channels a group.
func groupCount(channels int) int { return max(1, min(32, channels/4)) }
