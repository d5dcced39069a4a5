package train

import (
	"fmt"
	"slices"

	"edm/loss"
	"edm/model/precond"
	"edm/unet"
)

// Preset returns the defaults of a named preset. Each suits the length of its
// own usual run, and none depends on Duration, so a longer run continues a
// shorter one. Those named after a dataset have the settings published for it
// (Karras et al. 2022, Tables 7 and 8).
func Preset(name string) (Config, error) {
	n, err := unet.Preset(name)
	if err != nil {
		return Config{}, fmt.Errorf("train: %w", err)
	}
	c := Config{
		Data: "demo", Preset: name,
		Arch: n.Arch, Resolution: n.ImgResolution, Channels: n.InChannels,
		ModelChannels: n.ModelChannels, ChannelMult: slices.Clone(n.ChannelMult), NumBlocks: n.NumBlocks,
		AttnResolutions: slices.Clone(n.AttnResolutions), Dropout: n.Dropout,
		Precond: precond.EDMName, SigmaData: 0.5, Loss: loss.EDMName, PMean: -1.2, PStd: 1.2,
		Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, EMARampup: 0.05, Keep: 3,
	}
	switch name {
	case "demo": // minutes on two cores: many small steps, at the noise levels where garments take shape
		c.Duration, c.Batch, c.Micro = 0.05, 8, 8
		c.LR, c.LRRampup, c.EMA, c.EMARampup, c.Beta2 = 2e-3, 0.001, 0.002, 0.1, 0.99
		c.Cond, c.SigmaData, c.PMean, c.PStd = true, 0.66, -0.4, 1.3 // the demo set's own standard deviation
		c.Validation, c.Tick, c.Snap, c.Dump = 256, 2, 5, 2
	case "small": // a day on a few cores
		c.Duration, c.Batch, c.Micro = 2, 64, 16
		c.LR, c.LRRampup, c.EMA = 1e-3, 0.02, 0.05
		c.Validation, c.Tick, c.Snap, c.Dump = 256, 10, 5, 1
	case "cifar10":
		c.published(200, 512, 4, 1e-3, 0.12)
	case "ffhq64", "afhqv2-64":
		c.published(200, 256, 2, 2e-4, 0.15)
	case "imagenet64":
		c.published(2500, 4096, 1, 1e-4, 0)
		c.Cond, c.EMA, c.Tick = true, 50, 200
	default:
		return Config{}, fmt.Errorf("train: preset %q has a network and no training settings", name)
	}
	c.Complete()
	return c, nil
}

// published sets the options of the paper's own runs: those they share, and those of
// each.
func (c *Config) published(duration float64, batch, micro int, lr, augment float64) {
	c.Duration, c.Batch, c.Micro, c.LR, c.Augment = duration, batch, micro, lr, augment
	c.LRRampup, c.EMA = 10, 0.5
	c.Validation, c.Tick, c.Snap, c.Dump = 256, 50, 50, 1
}
