package unet_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"

	"edm/unet"
)

// Snapshots written before there was more than one architecture still load.
func TestConfigOfAnOlderSnapshot(t *testing.T) {
	const saved = `{"arch":"ddpmpp","img_resolution":28,"in_channels":1,"out_channels":1,"label_dim":10,"augment_dim":0,
		"model_channels":32,"channel_mult":[1,2,2],"channel_mult_emb":4,"channel_mult_noise":1,"num_blocks":1,
		"attn_resolutions":[8],"dropout":0,"label_dropout":0.1,"embedding_type":"positional","encoder_type":"standard",
		"decoder_type":"standard","resample_filter":[1,1]}`
	want, err := unet.Preset("demo")
	if err != nil {
		t.Fatal(err)
	}
	want.ImgResolution, want.LabelDim, want.LabelDropout = 28, 10, 0.1
	var got unet.Config
	if err := json.Unmarshal([]byte(saved), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if err := got.Validate(); err != nil {
		t.Error(err)
	}
}

// Absent keys have the architecture's published values, and every
// configuration survives being written and read.
func TestConfigJSON(t *testing.T) {
	for _, arch := range append(unet.ArchNames(), "") {
		head := `{"arch":"` + arch + `"}`
		if arch == "" {
			arch, head = unet.DDPMPP, `{}`
		}
		want, err := unet.ArchDefaults(arch)
		if err != nil {
			t.Fatal(err)
		}
		var got, again unet.Config
		if err := json.Unmarshal([]byte(head), &got); err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &again); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, again); diff != "" {
			t.Errorf("%s: %s", head, diff)
		}
	}
	var c unet.Config
	if err := json.Unmarshal([]byte(`{"arch":"resnet"}`), &c); err == nil || !strings.Contains(err.Error(), "ddpmpp, ncsnpp, adm") {
		t.Errorf("arch resnet: error %v, want one that lists the architectures", err)
	}
}

func TestUnknownNames(t *testing.T) {
	if _, err := unet.ArchDefaults("resnet"); err == nil {
		t.Error("ArchDefaults(resnet) gave no error")
	}
	if _, err := unet.DefaultConfig().WithArch("resnet"); err == nil {
		t.Error("WithArch(resnet) gave no error")
	}
	if _, err := unet.Preset("huge"); err == nil || !strings.Contains(err.Error(), "imagenet64") {
		t.Errorf("Preset(huge): error %v, want one that lists the presets", err)
	}
}

// WithArch changes no slice of the configuration that it came from.
func TestWithArchKeepsTheOriginal(t *testing.T) {
	c := preset(t, "cifar10", unet.DDPMPP)
	adm, err := c.WithArch(unet.ADM)
	if err != nil {
		t.Fatal(err)
	}
	adm.ChannelMult[0], adm.AttnResolutions[0], adm.ResampleFilter[0] = 9, 9, 9
	if diff := cmp.Diff(preset(t, "cifar10", unet.DDPMPP), c); diff != "" {
		t.Error(diff)
	}
}

// Every fault is reported at once.
func TestValidateReportsEveryFault(t *testing.T) {
	song := unet.Config{
		Arch: "ncsnpp", ImgResolution: 30, ModelChannels: 7, ChannelMult: []int{1, 0, 2}, LabelDim: -1, AugmentDim: -1,
		Dropout: 1, LabelDropout: -1, EmbeddingType: "learned", EncoderType: "dense", DecoderType: "residual",
		ResampleFilter: []float64{1, 2, 1},
	}
	faults(t, song, "img_resolution 30", "in_channels", "out_channels", "model_channels is 7", "channel_mult holds 0", "channel_mult_emb",
		"channel_mult_noise", "num_blocks", "label_dim", "augment_dim", "dropout is 1", "label_dropout", "embedding_type", "encoder_type",
		"decoder_type", "resample_filter")

	adm := preset(t, "imagenet64", unet.NCSNPP)
	adm.Arch, adm.DecoderType = unet.ADM, "skip"
	faults(t, adm, "embedding_type", "encoder_type", "decoder_type", "channel_mult_noise", "resample_filter")

	narrow := preset(t, "demo", unet.ADM)
	narrow.ModelChannels = 28
	faults(t, narrow, "attention over 56 channels")
	narrow.ModelChannels = 112 // 224 channels are three heads and a half
	faults(t, narrow, "attention over 224 channels")

	groups := preset(t, "demo", unet.DDPMPP)
	groups.ModelChannels = 36 // three times 36 channels are 27 groups, but four times are more than 32
	faults(t, groups, "144 channels do not divide into 32 groups")
	faults(t, unet.Config{Arch: "gan"}, "arch \"gan\"")
}

func faults(t *testing.T, c unet.Config, want ...string) {
	t.Helper()
	err := c.Validate()
	if err == nil {
		t.Fatalf("no error, want %q", want)
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("no fault about %q in:\n%v", w, err)
		}
	}
	if _, _, buildErr := c.Build(unet.Inputs{}); buildErr == nil || buildErr.Error() != err.Error() {
		t.Errorf("Build gave %v, want the same faults", buildErr)
	}
}

// A configuration that Validate accepts builds and has a gradient, whatever the
// combination of options.
func TestEveryCombinationBuilds(t *testing.T) {
	valid := map[string]int{}
	rapid.Check(t, func(r *rapid.T) {
		c := unet.Config{
			Arch: rapid.SampledFrom(unet.ArchNames()).Draw(r, "arch"), ImgResolution: 16,
			InChannels: rapid.IntRange(1, 3).Draw(r, "in"), OutChannels: rapid.IntRange(1, 6).Draw(r, "out"),
			LabelDim: rapid.IntRange(0, 2).Draw(r, "labels"), AugmentDim: rapid.IntRange(0, 2).Draw(r, "augment"),
			ModelChannels: rapid.SampledFrom([]int{2, 8, 32, 36, 64}).Draw(r, "width"), ChannelMult: rapid.SliceOfN(rapid.IntRange(1, 3), 1, 4).Draw(r, "mult"),
			ChannelMultEmb: rapid.IntRange(1, 4).Draw(r, "emb"), ChannelMultNoise: rapid.IntRange(1, 2).Draw(r, "noise"),
			NumBlocks: rapid.IntRange(1, 2).Draw(r, "blocks"), AttnResolutions: rapid.SliceOf(rapid.SampledFrom([]int{2, 4, 8, 16})).Draw(r, "attention"),
			EmbeddingType:  rapid.SampledFrom([]string{"positional", "fourier"}).Draw(r, "embedding"),
			EncoderType:    rapid.SampledFrom([]string{"standard", "skip", "residual"}).Draw(r, "encoder"),
			DecoderType:    rapid.SampledFrom([]string{"standard", "skip"}).Draw(r, "decoder"),
			ResampleFilter: rapid.SampledFrom([][]float64{{1, 1}, {1, 3, 3, 1}, {1, 5, 10, 10, 5, 1}}).Draw(r, "filter"),
		}
		if c.Arch == unet.ADM { // it has one variant, in heads of 64 channels
			c.ModelChannels = 64
			c.ChannelMultNoise, c.EmbeddingType, c.EncoderType, c.DecoderType, c.ResampleFilter = 1, "positional", "standard", "standard", []float64{1, 1}
		}
		if c.Validate() != nil {
			return
		}
		valid[c.Arch]++
		in := inputs(c, 2)
		f, params, err := c.Build(in)
		if err != nil {
			r.Fatalf("%+v is valid, but: %v", c, err)
		}
		if got, want := f.Shape(), (tensor.Shape{2, c.OutChannels, 16, 16}); !got.Eq(want) {
			r.Fatalf("F has shape %v, want %v", got, want)
		}
		wrt := gorgonia.Nodes{in.X}
		for _, p := range params {
			if !p.Frozen {
				wrt = append(wrt, p.Node)
			}
		}
		cot := gorgonia.NewTensor(in.X.Graph(), tensor.Float32, 4, gorgonia.WithShape(f.Shape()...), gorgonia.WithName("cotangent"))
		if _, err := gorgonia.Backpropagate(gorgonia.Nodes{f}, gorgonia.Nodes{cot}, wrt); err != nil {
			r.Fatalf("%+v: %v", c, err)
		}
	})
	for _, arch := range unet.ArchNames() {
		if valid[arch] == 0 {
			t.Errorf("no configuration of %s was valid", arch)
		}
	}
}

func TestBuildRefusesOtherInputs(t *testing.T) {
	c := preset(t, "demo", unet.NCSNPP)
	c.LabelDim = 10
	good := inputs(c, 2)
	for name, in := range map[string]unet.Inputs{
		"X is missing":              {},
		"or not [N,C,H,W]":          {X: good.ClassLabels, NoiseLabels: good.NoiseLabels, ClassLabels: good.ClassLabels},
		"NoiseLabels is missing":    {X: good.X, ClassLabels: good.ClassLabels},
		"ClassLabels is missing":    {X: good.X, NoiseLabels: good.NoiseLabels},
		"AugmentLabels is given":    {X: good.X, NoiseLabels: good.NoiseLabels, ClassLabels: good.ClassLabels, AugmentLabels: good.ClassLabels},
		"ClassLabels has shape (2)": {X: good.X, NoiseLabels: good.NoiseLabels, ClassLabels: good.NoiseLabels},
	} {
		if _, _, err := c.Build(in); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, want one that says %s", err, name)
		}
	}
}
