package unet

import (
	"fmt"
	"slices"
	"strings"
)

// presets are network shapes by name; the data decides resolution, channels
// and labels, and those here are of the data that a preset is named after.
func presets() map[string]Config {
	demo, small, cifar10 := DefaultConfig(), DefaultConfig(), DefaultConfig()
	demo.ImgResolution, demo.InChannels = 32, 1
	demo.ModelChannels, demo.ChannelMult, demo.NumBlocks = 32, []int{1, 2, 2}, 1
	demo.AttnResolutions, demo.Dropout = []int{8}, 0
	small.ImgResolution, small.InChannels = 32, 3
	small.ModelChannels, small.ChannelMult, small.NumBlocks = 64, []int{1, 2, 2}, 2
	small.AttnResolutions, small.Dropout = []int{16}, 0.1
	cifar10.ImgResolution, cifar10.InChannels = 32, 3
	ffhq64 := DefaultConfig()
	ffhq64.ImgResolution, ffhq64.InChannels = 64, 3
	ffhq64.ChannelMult, ffhq64.Dropout = []int{1, 2, 2, 2}, 0.05
	afhqv2 := ffhq64
	afhqv2.Dropout = 0.25
	imagenet64 := admDefaults()
	imagenet64.ImgResolution, imagenet64.InChannels, imagenet64.LabelDim = 64, 3, 1000
	all := map[string]Config{
		"demo": demo, "small": small, "cifar10": cifar10,
		"ffhq64": ffhq64, "afhqv2-64": afhqv2, "imagenet64": imagenet64,
	}
	for name, c := range all {
		c.OutChannels = c.InChannels
		all[name] = c
	}
	return all
}

// PresetNames returns the names that Preset knows, sorted.
func PresetNames() []string {
	var names []string
	for name := range presets() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Preset returns the named network: demo (0.9 M parameters), small (7.0 M), or
// a published one: cifar10 (55.7 M), ffhq64 and afhqv2-64 (61.8 M), imagenet64
// (295.9 M, ADM). WithArch makes another architecture of it.
func Preset(name string) (Config, error) {
	c, ok := presets()[name]
	if !ok {
		return Config{}, fmt.Errorf("unet: unknown preset %q, want one of %s", name, strings.Join(PresetNames(), ", "))
	}
	return c, nil
}
