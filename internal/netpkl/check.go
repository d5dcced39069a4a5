package netpkl

import (
	"fmt"
	"io"
	"math"

	"edm/checkpoints/safetensors"
	"edm/model/precond"
	"edm/unet"
)

// check holds the modules below the network to what package unet builds: known
// classes only, with the constants that change what they compute without
// changing a shape.
func (t *tree) check(c unet.Config) error {
	for _, m := range t.modules {
		if m.path == "" || m.path == networkName {
			continue
		}
		want, known := expected(m, c)
		if !known {
			return fmt.Errorf("module %s is of class %s, which no published network has", m.path, m.class)
		}
		for name, w := range want {
			if v, ok := m.attrs[name]; ok && !equal(v, w) {
				return fmt.Errorf("%s of module %s is %v, but networks of arch %s have %v", name, m.path, value(v), c.Arch, w)
			}
		}
	}
	return nil
}

// value is an attribute for an error's text.
func value(v any) any {
	switch v := v.(type) {
	case bool, int, float64:
		return v
	}
	return kindOf(v)
}

// expected returns the constants of a module and whether its class is known.
func expected(m *module, c unet.Config) (want map[string]any, known bool) {
	adm := c.Arch == unet.ADM
	switch m.class {
	case "Conv2d", "Linear", "FourierEmbedding", "ModuleDict":
		return nil, true
	case "PositionalEmbedding":
		return map[string]any{"max_positions": 10000.0, "endpoint": !adm}, true
	case "GroupNorm":
		want = map[string]any{"eps": 1e-6}
		if adm {
			want["eps"] = 1e-5
		}
		if w := m.tensors["weight"]; w != nil {
			want["num_groups"] = float64(min(32, w.len/4))
		}
		return want, true
	case "UNetBlock":
		want = map[string]any{"skip_scale": math.Sqrt(0.5), "adaptive_scale": adm}
		if adm {
			want["skip_scale"] = 1.0
		}
		if heads, ok := asInteger(m.attrs["num_heads"]); ok && heads != 0 {
			want["num_heads"] = blockHeads(m, adm)
		}
		return want, true
	}
	return nil, false
}

// blockHeads returns the attention heads of a block that has attention: one, or
// in ADM one for every 64 channels.
func blockHeads(m *module, adm bool) float64 {
	if out, ok := asInteger(m.attrs["out_channels"]); ok && adm {
		return float64(out / 64)
	}
	return 1
}

// equal compares an attribute with a bool or a number, to float32's precision.
func equal(v, want any) bool {
	if w, ok := want.(bool); ok {
		return v == w
	}
	x, ok := asNumber(v)
	w := want.(float64)
	return ok && math.Abs(x-w) <= 1e-6*math.Abs(w)
}

// checkFilters holds every resampling filter of the file to the configuration's
// taps f: it must be f_i f_j / (sum f)^2.
func (t *tree) checkFilters(r io.ReaderAt, c unet.Config) error {
	k, sum := len(c.ResampleFilter), 0.0
	for _, tap := range c.ResampleFilter {
		sum += tap
	}
	for _, m := range t.modules {
		f := m.tensors[filterName]
		if f == nil {
			continue
		}
		if f.len != k*k || !f.contiguous() {
			return fmt.Errorf("%s.%s has shape %v, want %d taps each way", m.path, filterName, f.shape, k)
		}
		left := int64(f.len) * f.storage.kind.size
		read, err := f.read(r, &left)
		if err != nil {
			return fmt.Errorf("%s.%s: %w", m.path, filterName, err)
		}
		got, err := read.Float64s()
		if err != nil {
			return fmt.Errorf("%s.%s: %w", m.path, filterName, err)
		}
		for i, x := range got {
			if w := c.ResampleFilter[i/k] * c.ResampleFilter[i%k] / (sum * sum); math.Abs(x-w) > 1e-6 {
				return fmt.Errorf("%s.%s is not the filter %v of the network's attributes", m.path, filterName, c.ResampleFilter)
			}
		}
	}
	return nil
}

// withTable returns the preconditioning with the file's own noise levels, where
// it has any: they win over the formula.
func withTable(p precond.Preconditioning, tensors map[string]safetensors.Tensor) (precond.Preconditioning, error) {
	iddpm, ok := p.(precond.IDDPM)
	table, has := tensors[tableName]
	if !ok || !has {
		return p, nil
	}
	u, err := table.Float64s()
	if err != nil {
		return nil, fmt.Errorf("tensor %s: %w", tableName, err)
	}
	if len(table.Shape) != 1 || len(u) != iddpm.M()+1 {
		return nil, fmt.Errorf("tensor %s has shape %v, M is %d: want %d noise levels", tableName, table.Shape, iddpm.M(), iddpm.M()+1)
	}
	q, err := iddpm.WithTable(u)
	if err != nil {
		return nil, fmt.Errorf("tensor %s: %w", tableName, err)
	}
	return q, nil
}
