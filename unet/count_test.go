package unet_test

import (
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"edm/unet"
)

// inputs returns nodes of the shapes that c asks for.
func inputs(c unet.Config, n int) unet.Inputs {
	g := gorgonia.NewGraph()
	input := func(name string, shape ...int) *gorgonia.Node {
		return gorgonia.NewTensor(g, tensor.Float32, len(shape), gorgonia.WithShape(shape...), gorgonia.WithName(name))
	}
	in := unet.Inputs{
		X:           input("x", n, c.InChannels, c.ImgResolution, c.ImgResolution),
		NoiseLabels: input("noise", n),
	}
	if c.LabelDim > 0 {
		in.ClassLabels = input("class", n, c.LabelDim)
	}
	if c.AugmentDim > 0 {
		in.AugmentLabels = input("augment", n, c.AugmentDim)
	}
	return in
}

// preset returns a preset as another architecture.
func preset(t *testing.T, name, arch string) unet.Config {
	t.Helper()
	c, err := unet.Preset(name)
	if err != nil {
		t.Fatal(err)
	}
	if c, err = c.WithArch(arch); err != nil {
		t.Fatal(err)
	}
	return c
}

// count returns the trained parameters of a network.
func count(t *testing.T, c unet.Config) int {
	t.Helper()
	_, params, err := c.Build(inputs(c, 1))
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, p := range params {
		if !p.Frozen {
			total += tensor.Shape(p.Shape).TotalSize()
		}
	}
	return total
}

// The published networks have these numbers of parameters: those for CIFAR-10
// with classes and the nine augmentation labels, that for ImageNet with classes.
// The random frequencies are not counted.
func TestParameterCounts(t *testing.T) {
	for _, c := range []struct {
		preset, arch    string
		labels, augment int
		want            int
	}{
		{"cifar10", unet.DDPMPP, 10, 9, 55735299},
		{"cifar10", unet.NCSNPP, 10, 9, 56400643},
		{"imagenet64", unet.ADM, 1000, 0, 295899267},
	} {
		n := preset(t, c.preset, c.arch)
		n.LabelDim, n.AugmentDim = c.labels, c.augment
		if got := count(t, n); got != c.want {
			t.Errorf("%s %s has %d parameters, want %d", c.preset, c.arch, got, c.want)
		}
	}
}

// Every preset is a valid network of every architecture; the paper gives the
// sizes of those for 64x64 images in millions.
func TestPresetsOfEveryArch(t *testing.T) {
	millions := map[string]int{"ffhq64 ddpmpp": 62, "ffhq64 ncsnpp": 63, "afhqv2-64 ddpmpp": 62, "afhqv2-64 ncsnpp": 63}
	for _, name := range unet.PresetNames() {
		for _, arch := range unet.ArchNames() {
			c := preset(t, name, arch)
			n := count(t, c)
			if want := millions[name+" "+arch]; want != 0 && (n+500_000)/1_000_000 != want {
				t.Errorf("%s %s has %d parameters, want %d million", name, arch, n, want)
			}
		}
	}
}
