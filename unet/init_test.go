package unet_test

import (
	"math"
	"strings"
	"testing"

	"edm/unet"
)

// initial returns the parameters of a network by name.
func initial(t *testing.T, c unet.Config) map[string]unet.Param {
	t.Helper()
	_, params, err := c.Build(inputs(c, 1))
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]unet.Param{}
	for _, p := range params {
		byName[p.Name] = p
	}
	return byName
}

// The frequencies are normal with standard deviation 16 and frozen; nothing
// else is frozen.
func TestFrequencies(t *testing.T) {
	c := preset(t, "cifar10", unet.NCSNPP)
	for name, p := range initial(t, c) {
		if p.Frozen != (name == "map_noise.freqs") {
			t.Errorf("%s: frozen is %v", name, p.Frozen)
		}
	}
	p := initial(t, c)["map_noise.freqs"]
	if len(p.Shape) != 1 || p.Shape[0] != 128 {
		t.Fatalf("%v frequencies, want 128", p.Shape)
	}
	const n = 1 << 16
	x := make([]float32, n)
	p.Init.Fill(x, 3, 0)
	var sum, squares float64
	for _, v := range x {
		sum += float64(v)
		squares += float64(v) * float64(v)
	}
	// Five standard errors of the mean and of the mean square.
	if mean, square := sum/n, squares/n; math.Abs(mean) > 5*16/math.Sqrt(n) || math.Abs(square-256) > 5*256*math.Sqrt(2.0/n) {
		t.Errorf("mean %v and mean square %v, want 0 and 256", mean, square)
	}
}

// Each arch starts as published: ADM's layers within 1/sqrt(fan in), those that
// end a branch at zero; DDPM++ by Glorot's bound, times 1e-5 at the ends.
func TestInitialisation(t *testing.T) {
	adm := initial(t, preset(t, "imagenet64", unet.ADM))
	song := initial(t, preset(t, "cifar10", unet.DDPMPP))
	for _, v := range []struct {
		params map[string]unet.Param
		name   string
		want   unet.Init
	}{
		{adm, "enc.64x64_conv.weight", unet.Init{Bound: 1 / math.Sqrt(27)}},
		{adm, "enc.64x64_conv.bias", unet.Init{Bound: 1 / math.Sqrt(27)}},
		{adm, "enc.32x32_block0.conv0.weight", unet.Init{Bound: 1 / math.Sqrt(9*192)}},
		{adm, "enc.32x32_block0.qkv.weight", unet.Init{Bound: 1 / math.Sqrt(384)}},
		{adm, "enc.32x32_block0.affine.bias", unet.Init{Bound: 1 / math.Sqrt(768)}},
		{adm, "enc.32x32_block0.norm1.weight", unet.Init{Value: 1}},
		{adm, "map_label.weight", unet.Init{Std: 1}},
		{song, "enc.32x32_conv.weight", unet.Init{Bound: math.Sqrt(6.0 / (27 + 9*128))}},
		{song, "enc.32x32_conv.bias", unet.Init{}},
		{song, "enc.16x16_block0.qkv.weight", unet.Init{Bound: math.Sqrt(0.2) * math.Sqrt(6.0/(256+768))}},
		{song, "enc.16x16_block0.proj.weight", unet.Init{Bound: 1e-5 * math.Sqrt(6.0/512)}},
	} {
		got := v.params[v.name].Init
		if math.Abs(got.Bound-v.want.Bound) > 1e-15 || got.Value != v.want.Value || got.Std != v.want.Std {
			t.Errorf("%s starts as %+v, want %+v", v.name, got, v.want)
		}
	}
	for name, p := range adm {
		end := strings.Contains(name, ".conv1.") || strings.Contains(name, ".proj.") || strings.HasPrefix(name, "out_conv.")
		if end && p.Init != (unet.Init{}) {
			t.Errorf("%s starts as %+v, want zeros", name, p.Init)
		}
	}
}
