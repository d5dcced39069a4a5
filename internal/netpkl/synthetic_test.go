package netpkl

import (
	"encoding/binary"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A part is one module of a network to be pickled; tests change it first.
type part struct {
	class                      string
	attrs, parameters, buffers dict
	names                      []string
	children                   map[string]*part
}

func newPart(class string, attrs ...field) *part {
	return &part{class: class, attrs: attrs, children: map[string]*part{}}
}

// at returns the part at a path below p, made where it is missing.
func (p *part) at(path string) *part {
	if path == "" {
		return p
	}
	name, rest, _ := strings.Cut(path, ".")
	if p.children[name] == nil {
		p.children[name] = newPart("")
		p.names = append(p.names, name)
	}
	return p.children[name].at(rest)
}

// set replaces or adds an attribute.
func (p *part) set(key string, value any) {
	p.attrs = slices.DeleteFunc(p.attrs, func(f field) bool { return f.key == key })
	p.attrs = append(p.attrs, field{key, value})
}

// setKwarg replaces or adds an argument that the part was made with.
func (p *part) setKwarg(key string, value any) {
	for i, f := range p.attrs {
		if f.key == "_init_kwargs" {
			kwargs := slices.DeleteFunc(slices.Clone(f.value.(dict)), func(f field) bool { return f.key == key })
			p.attrs[i].value = append(kwargs, field{key, value})
		}
	}
}

// put adds a tensor under its path.
func (p *part) put(path string, buffer bool, value any) {
	dir, name := "", path
	if i := strings.LastIndexByte(path, '.'); i >= 0 {
		dir, name = path[:i], path[i+1:]
	}
	m := p.at(dir)
	if buffer {
		m.buffers = append(m.buffers, field{name, value})
	} else {
		m.parameters = append(m.parameters, field{name, parameterOf(value)})
	}
}

var (
	container = regexp.MustCompile(`^(enc|dec)$`)
	block     = regexp.MustCompile(`^\d+x\d+_(block\d+|in\d+|up|down)$`)
	linear    = regexp.MustCompile(`^(map_l.*|map_augment|affine)$`)
)

// classOf guesses the class of a part that was not given one.
func (p *part) classOf(name string) string {
	switch {
	case p.class != "":
		return p.class
	case container.MatchString(name):
		return "ModuleDict"
	case block.MatchString(name):
		return "UNetBlock"
	case linear.MatchString(name):
		return "Linear"
	case name == "map_noise":
		return "FourierEmbedding"
	case strings.Contains(name, "norm"):
		return "GroupNorm"
	}
	return "Conv2d"
}

// value returns the part as a value to pickle.
func (p *part) value(name string) any {
	modules := dict{}
	for _, n := range p.names {
		modules = append(modules, field{n, p.children[n].value(n)})
	}
	state := dict{{"training", false}, {"_parameters", ordered(p.parameters)}, {"_buffers", ordered(p.buffers)}, {"_modules", ordered(modules)}}
	state = append(state, p.attrs...)
	class := p.classOf(name)
	if class == "ModuleDict" {
		return build{maker{global{"torch.nn.modules.container", class}}, state}
	}
	return persistent(class, state)
}

// file returns the part's pickle as the training code lays it out.
func (p *part) file(proto byte) []byte {
	return pickled(proto, dict{{"ema", p.value("")}, {"loss_fn", persistent("EDMLoss", dict{{"P_mean", -1.2}})},
		{"augment_pipe", nil}, {"dataset_kwargs", fill{maker{global{"dnnlib.util", "EasyDict"}}, dict{{"path", "x.zip"}}}}})
}

// tiny is the smallest DDPM++ network: one level, one block, no attention. Its
// weights count up.
func tiny(t testing.TB) *part {
	t.Helper()
	kwargs := dict{{"img_resolution", 4}, {"in_channels", 1}, {"out_channels", 1}, {"label_dim", 0}, {"model_channels", 4},
		{"channel_mult", list{1}}, {"num_blocks", 1}, {"attn_resolutions", list{}}, {"dropout", 0.25}}
	p := newPart("EDMPrecond", field{"img_resolution", 4}, field{"img_channels", 1}, field{"label_dim", 0}, field{"use_fp16", true},
		field{"sigma_min", 0}, field{"sigma_max", math.Inf(1)}, field{"sigma_data", 0.5}, field{"_init_args", tuple{}}, field{"_init_kwargs", dict{}})
	*p.at("model") = *newPart("SongUNet", field{"_init_args", tuple{}}, field{"_init_kwargs", kwargs})
	c := tinyConfig(t)
	for i, q := range layout(t, c) {
		p.put(q.Name, false, floats(q.Shape, func(j int) float32 { return float32(i) + float32(j)/1024 }))
	}
	return p
}

// floats is a contiguous float32 tensor in the old format.
func floats(shape []int, at func(i int) float32) any {
	n, dims, strides := 1, make(tuple, len(shape)), make(tuple, len(shape))
	for i := len(shape) - 1; i >= 0; i-- {
		dims[i], strides[i] = shape[i], n
		n *= shape[i]
	}
	data := make([]byte, 0, 4*n)
	for i := range n {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(at(i)))
	}
	return tensorOf(torchSaved("FloatStorage", n, data), 0, dims, strides)
}
