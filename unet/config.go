// Package unet builds F, the raw network inside the denoiser, as a Gorgonia
// graph of the project's ops: the DDPM++ network of the score-SDE and EDM papers
// (Song et al. 2021, App. C; Karras et al. 2022, App. F.1).
package unet

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"edm/internal/op"
)

// Config is the architecture of a network. The JSON names are those of the
// published configurations.
type Config struct {
	Arch             string    `json:"arch"`               // "ddpmpp"
	ImgResolution    int       `json:"img_resolution"`     // height and width of the images
	InChannels       int       `json:"in_channels"`        // image channels in
	OutChannels      int       `json:"out_channels"`       // image channels out
	LabelDim         int       `json:"label_dim"`          // number of classes; 0 is unconditional
	AugmentDim       int       `json:"augment_dim"`        // augmentation labels; 0 is none
	ModelChannels    int       `json:"model_channels"`     // base number of channels
	ChannelMult      []int     `json:"channel_mult"`       // channels of each resolution, in units of ModelChannels
	ChannelMultEmb   int       `json:"channel_mult_emb"`   // width of the embedding, likewise
	ChannelMultNoise int       `json:"channel_mult_noise"` // width of the noise embedding, likewise
	NumBlocks        int       `json:"num_blocks"`         // residual blocks a resolution
	AttnResolutions  []int     `json:"attn_resolutions"`   // resolutions with self-attention
	Dropout          float64   `json:"dropout"`            // probability, in training
	LabelDropout     float64   `json:"label_dropout"`      // probability of a zero class label, in training
	EmbeddingType    string    `json:"embedding_type"`     // "positional"
	EncoderType      string    `json:"encoder_type"`       // "standard"
	DecoderType      string    `json:"decoder_type"`       // "standard"
	ResampleFilter   []float64 `json:"resample_filter"`    // taps; 1,1 is nearest / 2x2 mean
}

// DefaultConfig returns the DDPM++ settings of the EDM paper for CIFAR-10 with
// no image size, channels or labels set.
func DefaultConfig() Config {
	return Config{
		Arch: "ddpmpp", ModelChannels: 128, ChannelMult: []int{2, 2, 2}, ChannelMultEmb: 4, ChannelMultNoise: 1,
		NumBlocks: 4, AttnResolutions: []int{16}, Dropout: 0.13,
		EmbeddingType: "positional", EncoderType: "standard", DecoderType: "standard", ResampleFilter: []float64{1, 1},
	}
}

// UnmarshalJSON reads a configuration; keys that are absent keep the values of
// DefaultConfig.
func (c *Config) UnmarshalJSON(data []byte) error {
	type plain Config
	p := plain(DefaultConfig())
	if err := json.Unmarshal(data, &p); err != nil {
		return err
	}
	*c = Config(p)
	return nil
}

// Validate returns every fault of the configuration, joined.
func (c Config) Validate() error {
	var errs []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf("unet: "+format, args...))
		}
	}
	fault(c.Arch != "ddpmpp", "arch %q, want ddpmpp", c.Arch)
	fault(c.EmbeddingType != "positional", "embedding_type %q, want positional", c.EmbeddingType)
	fault(c.EncoderType != "standard", "encoder_type %q, want standard", c.EncoderType)
	fault(c.DecoderType != "standard", "decoder_type %q, want standard", c.DecoderType)
	// The limits keep a hostile file from asking for a graph that never ends.
	for _, f := range []struct {
		name   string
		v, top int
	}{
		{"img_resolution", c.ImgResolution, 1 << 14}, {"in_channels", c.InChannels, 1 << 10}, {"out_channels", c.OutChannels, 1 << 10},
		{"model_channels", c.ModelChannels, 1 << 14}, {"channel_mult_emb", c.ChannelMultEmb, 64}, {"channel_mult_noise", c.ChannelMultNoise, 64},
		{"num_blocks", c.NumBlocks, 64},
	} {
		fault(f.v < 1 || f.v > f.top, "%s is %d, want 1 to %d", f.name, f.v, f.top)
	}
	fault(c.ModelChannels%2 != 0, "model_channels is %d, want an even number", c.ModelChannels)
	fault(c.LabelDim < 0 || c.LabelDim > 1<<16, "label_dim is %d, want 0 to 65536", c.LabelDim)
	fault(c.AugmentDim < 0 || c.AugmentDim > 1<<16, "augment_dim is %d, want 0 to 65536", c.AugmentDim)
	fault(!probability(c.Dropout), "dropout is %v, want 0 <= p < 1", c.Dropout)
	fault(!probability(c.LabelDropout), "label_dropout is %v, want 0 <= p < 1", c.LabelDropout)
	fault(len(c.ChannelMult) == 0 || len(c.ChannelMult) > 10, "channel_mult has %d levels, want 1 to 10", len(c.ChannelMult))
	for _, m := range c.ChannelMult {
		fault(m < 1 || m > 64, "channel_mult holds %d, want 1 to 64", m)
	}
	_, err := op.NewFilter(c.ResampleFilter...)
	fault(err != nil, "resample_filter: %v", err)
	if f := c.Factor(); c.ImgResolution > 0 && len(c.ChannelMult) <= 10 {
		fault(c.ImgResolution%f != 0, "img_resolution %d is not divisible by %d, which %d levels of channel_mult ask for",
			c.ImgResolution, f, len(c.ChannelMult))
	}
	for _, ch := range c.widths() {
		fault(ch%groupCount(ch) != 0, "%d channels do not divide into %d groups: choose model_channels as a multiple of 4", ch, groupCount(ch))
	}
	return errors.Join(errs...)
}

func probability(p float64) bool { return p >= 0 && p < 1 && !math.IsNaN(p) }

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

// widths returns the channel counts that group norms see: each level's, and the
// joins of the decoder.
func (c Config) widths() []int {
	var w []int
	for _, a := range c.ChannelMult {
		w = append(w, a*c.ModelChannels)
		for _, b := range append([]int{1}, c.ChannelMult...) {
			w = append(w, (a+b)*c.ModelChannels)
		}
	}
	return append(w, c.ModelChannels)
}

// groupCount returns the number of groups of a group norm over channels: 32,
// but at least 4 channels a group.
func groupCount(channels int) int { return max(1, min(32, channels/4)) }
