package netpkl

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"edm/checkpoints/safetensors"
	"edm/internal/testkit/reference"
	"edm/model"
	"edm/model/precond"
	"edm/unet"
)

func tinyConfig(t testing.TB) model.Config {
	t.Helper()
	c := unet.DefaultConfig()
	c.ImgResolution, c.InChannels, c.OutChannels = 4, 1, 1
	c.ModelChannels, c.ChannelMult, c.NumBlocks = 4, []int{1}, 1
	c.AttnResolutions, c.Dropout = []int{}, 0.25
	return model.Config{Network: c, Precond: precond.DefaultEDM()}
}

func layout(t testing.TB, c model.Config) []model.Param {
	t.Helper()
	m, err := model.New(c, model.Portable())
	if err != nil {
		t.Fatal(err)
	}
	return m.Layout().Params
}

func readBytes(data []byte) (*Network, error) {
	return read(bytes.NewReader(data), int64(len(data)))
}

// The same network in every protocol is read exactly.
func TestReadTiny(t *testing.T) {
	c := tinyConfig(t)
	for proto := byte(2); proto <= 5; proto++ {
		n, err := readBytes(tiny(t).file(proto))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c, n.Config); diff != "" {
			t.Errorf("protocol %d: configuration differs (-want +got):\n%s", proto, diff)
		}
		params := layout(t, c)
		if len(n.Tensors) != len(params) {
			t.Errorf("protocol %d: %d tensors, want %d", proto, len(n.Tensors), len(params))
		}
		for i, p := range params {
			got, err := n.Tensors[p.Name].Float32s()
			if err != nil {
				t.Fatalf("protocol %d: tensor %s: %v", proto, p.Name, err)
			}
			for j, x := range got {
				if want := float32(i) + float32(j)/1024; x != want {
					t.Fatalf("protocol %d: %s[%d] = %v, want %v", proto, p.Name, j, x, want)
				}
			}
		}
	}
}

// A tensor may be of any float type, a view of a larger storage, transposed, in
// either format of torch.save, or rebuilt by the older functions.
func TestReadTensorForms(t *testing.T) {
	const name = "model.map_layer0.weight" // [16,4]
	want := make([]float32, 64)
	for i := range want {
		want[i] = float32(i) - 8.5
	}
	encode := func(size int, put func([]byte, float32) []byte) []byte {
		var b []byte
		for _, x := range want {
			b = put(b, x)
		}
		if len(b) != size*len(want) {
			t.Fatalf("%d bytes", len(b))
		}
		return b
	}
	f32 := encode(4, func(b []byte, x float32) []byte { return binary.LittleEndian.AppendUint32(b, math.Float32bits(x)) })
	f64 := encode(8, func(b []byte, x float32) []byte {
		return binary.LittleEndian.AppendUint64(b, math.Float64bits(float64(x)))
	})
	bf16 := encode(2, func(b []byte, x float32) []byte {
		return binary.LittleEndian.AppendUint16(b, uint16(math.Float32bits(x)>>16))
	})
	f16 := encode(2, func(b []byte, x float32) []byte { return binary.LittleEndian.AppendUint16(b, toHalf(x)) })
	transposed := make([]byte, 0, len(f32))
	for j := range 4 {
		for i := range 16 {
			transposed = append(transposed, f32[4*(4*i+j):][:4]...)
		}
	}
	plain := func(saved []byte) any { return tensorOf(saved, 0, tuple{16, 4}, tuple{4, 1}) }
	storage := call{global{"torch.storage", "_load_from_bytes"}, tuple{torchSaved("FloatStorage", 64, f32)}}
	for form, value := range map[string]any{
		"double":     plain(torchSaved("DoubleStorage", 64, f64)),
		"half":       plain(torchSaved("HalfStorage", 64, f16)),
		"bfloat16":   plain(torchSaved("BFloat16Storage", 64, bf16)),
		"zip":        plain(torchZipped(t, "FloatStorage", 64, f32)),
		"zip half":   plain(torchZipped(t, "HalfStorage", 64, f16)),
		"view":       tensorOf(torchSaved("FloatStorage", 67, append(make([]byte, 12), f32...)), 3, tuple{16, 4}, tuple{4, 1}),
		"transposed": tensorOf(torchSaved("FloatStorage", 64, transposed), 0, tuple{16, 4}, tuple{1, 16}),
		"v1":         call{global{"torch._utils", "_rebuild_tensor"}, tuple{storage, 0, tuple{16, 4}, tuple{4, 1}}},
		"list shape": tensorOf(torchSaved("FloatStorage", 64, f32), 0, tuple{16, 4}, tuple{4, 1}),
	} {
		p := tiny(t)
		p.at("model.map_layer0").parameters[0] = field{"weight", call{global{"torch.nn.parameter", "Parameter"}, tuple{value, true}}}
		n, err := readBytes(p.file(4))
		if err != nil {
			t.Errorf("%s: %v", form, err)
			continue
		}
		got, err := n.Tensors[name].Float32s()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: differs (-want +got):\n%s", form, diff)
		}
	}
}

// toHalf converts a number that a half holds exactly.
func toHalf(x float32) uint16 {
	if x == 0 {
		return 0
	}
	b := math.Float32bits(x)
	return uint16(b>>16&0x8000) | uint16(int(b>>23&255)-112)<<10 | uint16(b>>13&1023)
}

// TestHalf compares every half with its definition.
func TestHalf(t *testing.T) {
	for b := range 1 << 16 {
		exponent, fraction := b>>10&31, float64(b&1023)
		want := math.Ldexp(fraction/1024, -14)
		if exponent > 0 {
			want = math.Ldexp(1+fraction/1024, exponent-15)
		}
		got := float64(half(uint16(b)))
		switch {
		case exponent == 31 && fraction != 0:
			if !math.IsNaN(got) {
				t.Fatalf("half(%#04x) = %v, want NaN", b, got)
			}
			continue
		case exponent == 31:
			want = math.Inf(1)
		}
		if math.Signbit(got) != (b >= 1<<15) || math.Abs(got) != want {
			t.Fatalf("half(%#04x) = %v, want ±%v", b, got, want)
		}
	}
}

// TestReferencePrecondPickle wraps the networks of the recorded preconditionings
// into pickles and compares D: the reference has pickles of EDM's only.
func TestReferencePrecondPickle(t *testing.T) {
	device, err := model.OpenCPU(1)
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	classes := map[string]string{"edm": "EDMPrecond", "vp": "VPPrecond", "ve": "VEPrecond", "iddpm": "iDDPMPrecond"}
	reference.Each(t, "precond/*.safetensors", func(t *testing.T, f *safetensors.File) {
		p := recorded(t, f, classes[f.Metadata["preconditioner"]])
		n, err := readBytes(p.file(4))
		if err != nil {
			t.Fatal(err)
		}
		if got := n.Config.Precond.Name(); got != f.Metadata["preconditioner"] {
			t.Errorf("preconditioning %s, want %s", got, f.Metadata["preconditioner"])
		}
		file, err := n.File()
		if err != nil {
			t.Fatal(err)
		}
		want := &safetensors.File{Tensors: map[string]safetensors.Tensor{
			"in.x": f.Tensors["in.x"], "in.sigma": f.Tensors["sigma_rounded"], "out.D": f.Tensors["out.D"]}}
		compareD(t, device, file, want)
	})
}

// recorded returns the network of a precond vector. Its settings stand where
// the published classes have them, with no attributes that have defaults.
func recorded(t *testing.T, f *safetensors.File, class string) *part {
	t.Helper()
	var config map[string]any
	if err := json.Unmarshal([]byte(f.Metadata["config"]), &config); err != nil {
		t.Fatal(err)
	}
	channels := int(config["img_channels"].(float64))
	config["in_channels"], config["out_channels"] = channels, channels
	if class == "iDDPMPrecond" {
		config["out_channels"] = 2 * channels
	}
	size := config["img_resolution"]
	delete(config, "img_channels")
	delete(config, "model_type")
	p := newPart(class, field{"img_resolution", size}, field{"img_channels", channels}, field{"label_dim", 0})
	*p.at("model") = *newPart("SongUNet", field{"_init_kwargs", keywords(config)})
	p.putRecorded(t, f, "")
	return p
}

// keywords returns settings read from JSON as arguments to pickle.
func keywords(config map[string]any) dict {
	kwargs := dict{}
	for k, v := range config {
		if l, ok := v.([]any); ok {
			v = list(l)
		}
		kwargs = append(kwargs, field{k, v})
	}
	return kwargs
}

// putRecorded adds the parameters and buffers of a reference file below prefix.
func (p *part) putRecorded(t *testing.T, f *safetensors.File, prefix string) {
	t.Helper()
	for name, ts := range f.Tensors {
		path, parameter := strings.CutPrefix(name, "param.")
		path, buffer := strings.CutPrefix(path, "buffer.")
		if parameter || buffer {
			x := reference.Values32(t, f, name)
			p.put(prefix+path, buffer, floats(ts.Shape, func(i int) float32 { return x[i] }))
		}
	}
}

// Settings are read from positional arguments as well.
func TestReadPositionalArguments(t *testing.T) {
	p := tiny(t)
	m := p.at("model")
	m.set("_init_args", tuple{4, 1, 1, 0, 0, 4, list{1}})
	m.set("_init_kwargs", dict{{"num_blocks", 1}, {"attn_resolutions", list{}}, {"dropout", 0.25}})
	n, err := readBytes(p.file(3))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(tinyConfig(t), n.Config); diff != "" {
		t.Errorf("configuration differs (-want +got):\n%s", diff)
	}
}

func TestReadNamesThePath(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "net.pkl")
	if err := os.WriteFile(path, tiny(t).file(4)[:500], 0o600); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, filepath.Join(dir, "none.pkl"), dir} {
		if _, err := Read(p); err == nil || !strings.Contains(err.Error(), p) {
			t.Errorf("Read(%s): error %v, want one that names it", p, err)
		}
	}
}

func unpickleBytes(data []byte) (any, error) {
	return unpickle(bytes.NewReader(data), int64(len(data)))
}
