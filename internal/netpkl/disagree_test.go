package netpkl

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"edm/unet"
)

// Attributes and tensors that contradict each other, or a network that package
// unet does not build, are errors that say so.
func TestDisagreements(t *testing.T) {
	const conv = "model.enc.4x4_conv"
	vector := func(n int) any { return floats([]int{n}, func(i int) float32 { return float32(n - 1 - i) }) }
	kwarg := func(key string, value any) func(*part) {
		return func(p *part) { p.at("model").setKwarg(key, value) }
	}
	attr := func(path, key string, value any) func(*part) {
		return func(p *part) { p.at(path).set(key, value) }
	}
	for _, c := range []struct {
		name   string
		change func(*part)
		want   string
	}{
		{"another object", func(p *part) { p.class = "Generator" }, "class Generator, want EDMPrecond"},
		{"another network", func(p *part) { p.at("model").class = "SkipNet" }, "class SkipNet, want SongUNet"},
		{"no network", func(p *part) { p.names = nil }, `no member "model"`},
		{"another layer", func(p *part) { p.at(conv).class = "Conv3d" }, "enc.4x4_conv is of class Conv3d"},
		{"another image size", attr("", "img_resolution", 8), "img_resolution of the network is 4, its preconditioning asks for 8"},
		{"other channels", attr("", "img_channels", 3), "in_channels of the network is 1"},
		{"other channels out", kwarg("out_channels", 2), "out_channels of the network is 2"},
		{"other classes", attr("", "label_dim", 10), "label_dim of the network is 0"},
		{"a text for a number", attr("", "sigma_data", "0.5"), "sigma_data is a string, want a number"},
		{"an impossible constant", attr("", "sigma_data", 0.0), "sigma_data is 0"},
		{"half a channel", kwarg("model_channels", 4.5), "model_channels is a number, want a whole number"},
		{"a number for a list", kwarg("channel_mult", 1), "channel_mult is an integer, want a list"},
		{"a list of texts", kwarg("channel_mult", list{"1"}), "channel_mult is a list, want a list of numbers"},
		{"halves in a list", kwarg("channel_mult", list{1.5}), "channel_mult is a number, want a list of whole"},
		{"a number for a text", kwarg("encoder_type", 1), "encoder_type is an integer"},
		{"an unknown encoder", kwarg("encoder_type", "wavelet"), `encoder_type "wavelet"`},
		{"an unknown argument", kwarg("num_heads", 4), "unknown arguments num_heads"},
		{"too many arguments", attr("model", "_init_args", tuple(make([]any, 18))), "_init_args is no tuple of at most 17"},
		{"a network too wide", kwarg("model_channels", 1<<20), "does not build"},
		{"more blocks than tensors", kwarg("num_blocks", 60), "ask for 60 blocks"},
		{"a wider network", kwarg("model_channels", 8), "has shape [16 4], its attributes ask for [32 8]"},
		{"labels without a layer for them", func(p *part) { p.set("label_dim", 3); p.at("model").setKwarg("label_dim", 3) }, "no tensor model.map_label.weight"},
		{"a tensor too many", func(p *part) { p.put("model.map_label.weight", false, vector(3)) }, "map_label.weight does not belong"},
		{"a tensor of integers", func(p *part) {
			p.at(conv).parameters[1].value = tensorOf(torchSaved("LongStorage", 4, make([]byte, 32)), 0, tuple{4}, tuple{1})
		}, "a LongStorage, want floating point"},
		{"noise levels for EDM", func(p *part) { p.put("u", true, vector(3)) }, "tensor u does not belong"},
		{"another epsilon", attr("model.enc.4x4_block0.norm0", "eps", 1e-5), "eps of module model.enc.4x4_block0.norm0 is 1e-05"},
		{"other groups", attr("model.enc.4x4_block0.norm0", "num_groups", 4), "num_groups of module"},
		{"another skip", attr("model.enc.4x4_block0", "skip_scale", 1), "skip_scale of module"},
		{"adaptive scale", attr("model.enc.4x4_block0", "adaptive_scale", true), "adaptive_scale of module"},
		{"more heads", attr("model.enc.4x4_block0", "num_heads", 2), "num_heads of module"},
		{"a list for a number", attr("model.enc.4x4_block0", "skip_scale", list{}), "skip_scale of module model.enc.4x4_block0 is a list"},
		{"another filter", func(p *part) {
			p.put(conv+".resample_filter", true, floats([]int{1, 1, 2, 2}, func(i int) float32 { return float32(i) / 6 }))
		}, "not the filter [1 1]"},
		{"a longer filter", func(p *part) {
			p.put(conv+".resample_filter", true, floats([]int{1, 1, 4, 4}, func(int) float32 { return 1. / 16 }))
		}, "want 2 taps"},
	} {
		p := tiny(t)
		c.change(p)
		mustRefuse(t, c.name, p.file(4), c.want)
	}
}

// iDDPM's own noise levels must be such levels, and as many as M says.
func TestNoiseLevels(t *testing.T) {
	file := func(m, n int, at func(i int) float32) []byte {
		p := tiny(t)
		p.class = "iDDPMPrecond"
		p.set("M", m)
		p.at("model").setKwarg("out_channels", 2)
		last := p.at("model.dec.4x4_aux_conv")
		last.parameters = dict{{"weight", parameterOf(floats([]int{2, 4, 3, 3}, func(int) float32 { return 0 }))},
			{"bias", parameterOf(floats([]int{2}, func(int) float32 { return 0 }))}}
		p.put("u", true, floats([]int{n}, at))
		return p.file(4)
	}
	falling := func(i int) float32 { return float32(4 - i) }
	mustRefuse(t, "too few", file(5, 5, falling), "want 6 noise levels")
	mustRefuse(t, "rising", file(4, 5, func(i int) float32 { return float32(i) }), "tensor u")
	n, err := readBytes(file(4, 5, falling))
	if err != nil {
		t.Fatal(err)
	}
	if min, max := n.Config.Precond.SigmaRange(); min != 1 || max != 4 {
		t.Errorf("noise levels from %g to %g, want 1 to 4", min, max)
	}
}

// Numbers that numpy pickled.
func TestNumpyScalars(t *testing.T) {
	number := func(code, order string, b []byte) any {
		typ := build{call{global{"numpy", "dtype"}, tuple{code, false, true}}, tuple{3, order, nil, nil, nil, -1, -1, 0}}
		return call{global{"numpy.core.multiarray", "scalar"}, tuple{typ, raw(append([]byte{'C', byte(len(b))}, b...))}}
	}
	le, be := binary.LittleEndian, binary.BigEndian
	for _, c := range []struct {
		code, order string
		bytes       []byte
		want        any
	}{
		{"f8", "<", le.AppendUint64(nil, math.Float64bits(0.75)), 0.75},
		{"f8", ">", be.AppendUint64(nil, math.Float64bits(0.75)), 0.75},
		{"f4", "<", le.AppendUint32(nil, math.Float32bits(-2)), -2.0},
		{"i8", "<", le.AppendUint64(nil, math.MaxUint64), -1},
		{"i4", "<", le.AppendUint32(nil, 7), 7},
		{"b1", "|", []byte{1}, true},
	} {
		p := tiny(t)
		p.set("sigma_data", number(c.code, c.order, c.bytes))
		root, err := unpickleBytes(p.file(4))
		if err != nil {
			t.Fatal(err)
		}
		ema, err := averaged(root)
		if err != nil {
			t.Fatal(err)
		}
		attrs, err := fieldsOf(ema.state)
		if err != nil {
			t.Fatal(err)
		}
		if got := attrs["sigma_data"]; got != c.want {
			t.Errorf("%s%s %x = %v, want %v", c.order, c.code, c.bytes, got, c.want)
		}
	}
	p := tiny(t)
	p.set("sigma_data", number("f8", "<", []byte{1}))
	mustRefuse(t, "a short number", p.file(4), `1 bytes of type "f8"`)
}

// Arguments that were left out have the published constructors' defaults.
func TestPublishedDefaults(t *testing.T) {
	sizes := dict{{"img_resolution", 64}, {"in_channels", 3}, {"out_channels", 3}}
	song := unet.Config{
		Arch: unet.DDPMPP, ModelChannels: 128, ChannelMult: []int{1, 2, 2, 2}, ChannelMultEmb: 4, ChannelMultNoise: 1, NumBlocks: 4,
		AttnResolutions: []int{16}, EmbeddingType: "positional", EncoderType: "standard", DecoderType: "standard", ResampleFilter: []float64{1, 1},
	}
	adm := song
	adm.Arch, adm.ModelChannels, adm.ChannelMult = unet.ADM, 192, []int{1, 2, 3, 4}
	adm.NumBlocks, adm.AttnResolutions = 3, []int{32, 16, 8}
	for class, want := range map[string]unet.Config{"SongUNet": song, "DhariwalUNet": adm} {
		want.ImgResolution, want.InChannels, want.OutChannels, want.Dropout = 64, 3, 3, 0.1
		p := newPart("EDMPrecond", field{"img_resolution", 64}, field{"img_channels", 3})
		*p.at("model") = *newPart(class, field{"_init_kwargs", sizes})
		root, err := unpickleBytes(p.file(4))
		if err != nil {
			t.Fatal(err)
		}
		ema, err := averaged(root)
		if err != nil {
			t.Fatal(err)
		}
		modules, err := walk(ema)
		if err != nil {
			t.Fatal(err)
		}
		c, err := configure(modules)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, c.Network); diff != "" {
			t.Errorf("%s: differs (-want +got):\n%s", class, diff)
		}
	}
}
