package unet

import (
	"fmt"
	"slices"
	"strings"
)

// The architectures.
const (
	DDPMPP = "ddpmpp" // DDPM++ of Song et al. 2021
	NCSNPP = "ncsnpp" // NCSN++ of Song et al. 2021
	ADM    = "adm"    // the ADM network of Dhariwal & Nichol 2021
)

// ArchNames returns the names that ArchDefaults knows.
func ArchNames() []string { return []string{DDPMPP, NCSNPP, ADM} }

// ArchDefaults returns the published settings of an architecture with no image
// size, channels or labels set: DDPM++ and NCSN++ as for CIFAR-10, ADM as for
// ImageNet at 64x64 (Karras et al. 2022, Tables 7 and 8).
func ArchDefaults(arch string) (Config, error) {
	switch arch {
	case DDPMPP:
		return DefaultConfig(), nil
	case NCSNPP:
		c := DefaultConfig()
		c.Arch, c.ChannelMultNoise, c.EmbeddingType, c.EncoderType = NCSNPP, 2, "fourier", "residual"
		c.ResampleFilter = []float64{1, 3, 3, 1}
		return c, nil
	case ADM:
		return admDefaults(), nil
	}
	return Config{}, fmt.Errorf("unet: unknown arch %q, want one of %s", arch, strings.Join(ArchNames(), ", "))
}

func admDefaults() Config {
	c := DefaultConfig()
	c.Arch, c.ModelChannels, c.ChannelMult, c.NumBlocks = ADM, 192, []int{1, 2, 3, 4}, 3
	c.AttnResolutions, c.Dropout = []int{32, 16, 8}, 0.1
	return c
}

// WithArch returns c as another architecture: images, labels, channels, blocks,
// attention and dropout stay, and what distinguishes architectures of one size
// (embedding, encoder, decoder, resampling filter) is that of ArchDefaults.
func (c Config) WithArch(arch string) (Config, error) {
	d, err := ArchDefaults(arch)
	if err != nil {
		return Config{}, err
	}
	c.Arch, c.ChannelMultEmb, c.ChannelMultNoise = arch, d.ChannelMultEmb, d.ChannelMultNoise
	c.EmbeddingType, c.EncoderType, c.DecoderType = d.EmbeddingType, d.EncoderType, d.DecoderType
	c.ResampleFilter = d.ResampleFilter
	c.ChannelMult, c.AttnResolutions = slices.Clone(c.ChannelMult), slices.Clone(c.AttnResolutions)
	return c, nil
}
