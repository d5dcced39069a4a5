package netpkl

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"edm/checkpoints/safetensors"
	"edm/internal/testkit/reference"
	"edm/unet"
)

// recordedADM returns a pickle's worth of a recorded ADM network, its modules
// with the attributes that the published classes set.
func recordedADM(t *testing.T, f *safetensors.File) *part {
	t.Helper()
	var config map[string]any
	if err := json.Unmarshal([]byte(f.Metadata["config"]), &config); err != nil {
		t.Fatal(err)
	}
	p := newPart("EDMPrecond", field{"img_resolution", config["img_resolution"]}, field{"img_channels", config["in_channels"]},
		field{"label_dim", config["label_dim"]}, field{"use_fp16", true})
	*p.at("model") = *newPart("DhariwalUNet", field{"label_dropout", 0.25}, field{"_init_kwargs", keywords(config)})
	*p.at("model.map_noise") = *newPart("PositionalEmbedding", field{"num_channels", 32}, field{"max_positions", 10000}, field{"endpoint", false})
	p.putRecorded(t, f, "model.")
	p.at("model.out_norm").set("eps", 1e-5)
	p.at("model.out_norm").set("num_groups", 8)
	for _, half := range []string{"model.enc", "model.dec"} {
		for name, b := range p.at(half).children {
			if b.classOf(name) != "UNetBlock" {
				continue
			}
			b.set("skip_scale", 1)
			b.set("adaptive_scale", true)
			b.set("out_channels", 32)
			b.set("num_heads", 0)
			if b.children["qkv"] != nil { // attention: over 64 channels
				b.set("out_channels", 64)
				b.set("num_heads", 1)
			}
		}
	}
	return p
}

// TestReferenceADM reads the recorded ADM network from a pickle, to the bit, and
// refuses one whose modules differ from ADM's.
func TestReferenceADM(t *testing.T) {
	reference.Each(t, "unet/adm-*.safetensors", func(t *testing.T, f *safetensors.File) {
		want := unet.Config{}
		if err := json.Unmarshal([]byte(f.Metadata["config"]), &want); err != nil {
			t.Fatal(err)
		}
		want.Arch, want.LabelDropout = unet.ADM, 0.25
		n, err := readBytes(recordedADM(t, f).file(4))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, n.Config.Network); diff != "" {
			t.Errorf("configuration differs (-want +got):\n%s", diff)
		}
		for name, got := range n.Tensors {
			recorded := f.Tensors["param."+strings.TrimPrefix(name, "model.")]
			if !slices.Equal(got.Shape, recorded.Shape) || !bytes.Equal(got.Data, recorded.Data) {
				t.Errorf("tensor %s, of shape %v, is not the one recorded, of shape %v", name, got.Shape, recorded.Shape)
			}
		}
		for _, c := range []struct {
			path, attr string
			value      any
		}{
			{"model.map_noise", "endpoint", true},
			{"model.out_norm", "eps", 1e-6},
			{"model.enc.16x16_block0", "skip_scale", 0.5},
			{"model.enc.16x16_block0", "adaptive_scale", false},
			{"model.dec.8x8_in0", "num_heads", 2},
		} {
			p := recordedADM(t, f)
			p.at(c.path).set(c.attr, c.value)
			mustRefuse(t, c.attr, p.file(4), c.attr+" of module "+c.path)
		}
	})
}

// A preconditioning without attributes has the published constants.
func TestPublishedConstants(t *testing.T) {
	for class, want := range map[string]map[string]float64{
		"VPPrecond":    {"beta_d": 19.9, "beta_min": 0.1, "M": 1000, "epsilon_t": 1e-5},
		"VEPrecond":    {"sigma_min": 0.02, "sigma_max": 100},
		"iDDPMPrecond": {"C_1": 0.001, "C_2": 0.008, "M": 1000},
	} {
		m := &module{class: class, attrs: map[string]any{"img_resolution": 4, "img_channels": 1}}
		p, _, err := preconditioning(m)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, p.Params()); diff != "" {
			t.Errorf("%s: differs (-want +got):\n%s", class, diff)
		}
	}
}
