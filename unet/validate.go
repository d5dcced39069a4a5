package unet

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"edm/internal/op"
)

// Validate returns every fault of the configuration, joined.
func (c Config) Validate() error {
	var f faults
	f.choice("arch", c.Arch, ArchNames()...)
	c.validateSizes(&f)
	if c.Arch == ADM {
		c.validateADM(&f)
	} else {
		f.choice("embedding_type", c.EmbeddingType, "positional", "fourier")
		f.choice("encoder_type", c.EncoderType, "standard", "skip", "residual")
		f.choice("decoder_type", c.DecoderType, "standard", "skip")
	}
	_, err := op.NewFilter(c.ResampleFilter...)
	f.when(err != nil, "resample_filter: %v", err)
	// Channels follow from the sizes, and only from sound ones.
	if len(f) == 0 {
		c.validateChannels(&f)
	}
	return errors.Join(f...)
}

// faults collects the faults of a configuration.
type faults []error

// when adds a fault if bad.
func (f *faults) when(bad bool, format string, args ...any) {
	if bad {
		*f = append(*f, fmt.Errorf("unet: "+format, args...))
	}
}

// choice adds a fault unless value is one of those wanted.
func (f *faults) choice(name, value string, want ...string) {
	f.when(!slices.Contains(want, value), "%s %q, want %s", name, value, strings.Join(want, " or "))
}

// validateSizes checks the numbers. The limits keep a hostile file from asking
// for a graph that never ends.
func (c Config) validateSizes(f *faults) {
	for _, v := range []struct {
		name   string
		v, top int
	}{
		{"img_resolution", c.ImgResolution, 1 << 14}, {"in_channels", c.InChannels, 1 << 10}, {"out_channels", c.OutChannels, 1 << 10},
		{"model_channels", c.ModelChannels, 1 << 14}, {"channel_mult_emb", c.ChannelMultEmb, 64}, {"channel_mult_noise", c.ChannelMultNoise, 64},
		{"num_blocks", c.NumBlocks, 64},
	} {
		f.when(v.v < 1 || v.v > v.top, "%s is %d, want 1 to %d", v.name, v.v, v.top)
	}
	f.when(c.ModelChannels%2 != 0, "model_channels is %d, want an even number", c.ModelChannels)
	f.when(c.LabelDim < 0 || c.LabelDim > 1<<16, "label_dim is %d, want 0 to 65536", c.LabelDim)
	f.when(c.AugmentDim < 0 || c.AugmentDim > 1<<16, "augment_dim is %d, want 0 to 65536", c.AugmentDim)
	f.when(!probability(c.Dropout), "dropout is %v, want 0 <= p < 1", c.Dropout)
	f.when(!probability(c.LabelDropout), "label_dropout is %v, want 0 <= p < 1", c.LabelDropout)
	const levels = 10
	f.when(len(c.ChannelMult) == 0 || len(c.ChannelMult) > levels, "channel_mult has %d levels, want 1 to %d", len(c.ChannelMult), levels)
	for _, m := range c.ChannelMult {
		f.when(m < 1 || m > 64, "channel_mult holds %d, want 1 to 64", m)
	}
	if c.ImgResolution > 0 && len(c.ChannelMult) <= levels {
		f.when(c.ImgResolution%c.Factor() != 0, "img_resolution %d is not divisible by %d, which %d levels of channel_mult ask for",
			c.ImgResolution, c.Factor(), len(c.ChannelMult))
	}
}

// validateADM checks that c asks for nothing that ADM has no variant of.
func (c Config) validateADM(f *faults) {
	for _, v := range []struct{ name, value, only string }{
		{"embedding_type", c.EmbeddingType, "positional"},
		{"encoder_type", c.EncoderType, "standard"},
		{"decoder_type", c.DecoderType, "standard"},
	} {
		f.when(v.value != v.only, "%s %q: adm has %s only, ddpmpp and ncsnpp have others", v.name, v.value, v.only)
	}
	f.when(c.ChannelMultNoise != 1, "channel_mult_noise is %d: adm has 1 only", c.ChannelMultNoise)
	f.when(!slices.Equal(c.ResampleFilter, []float64{1, 1}), "resample_filter %v: adm has 1,1 only", c.ResampleFilter)
}

// validateChannels checks that the channels of every block divide into groups
// and heads.
func (c Config) validateChannels(f *faults) {
	seen := map[int]bool{}
	norm := func(channels int) {
		if !seen[channels] {
			seen[channels] = true
			f.when(channels%groupCount(channels) != 0, "%d channels do not divide into %d groups: choose model_channels as a multiple of 4",
				channels, groupCount(channels))
		}
	}
	attended := map[int]bool{}
	enc, _ := c.encoderBlocks()
	for _, b := range slices.Concat(append(enc, c.decoderBlocks()...)...) {
		norm(b.in)
		norm(b.out)
		if b.attention && !attended[b.out] {
			attended[b.out] = true
			heads := c.style().heads(b.out)
			f.when(heads < 1 || b.out%max(1, heads) != 0, "attention over %d channels does not divide into heads of at least %d: choose model_channels as a multiple of 64",
				b.out, admHeadWidth)
		}
	}
}

func probability(p float64) bool { return p >= 0 && p < 1 && !math.IsNaN(p) }
