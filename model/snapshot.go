package model

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"edm/checkpoints/safetensors"
	"edm/model/precond"
)

// MetadataKey names the metadata of a snapshot that holds the Config as JSON.
const MetadataKey = "edm_model"

// Tensors returns the parameters of a flat buffer under their published names.
// The tensors share flat's memory where the machine is little-endian.
func (l Layout) Tensors(flat []float32) map[string]safetensors.Tensor {
	out := make(map[string]safetensors.Tensor, len(l.Params))
	for _, p := range l.Params {
		out[p.Name] = safetensors.ViewFloat32s(p.View(flat), p.Shape...)
	}
	return out
}

// SetTensors copies tensors into a flat buffer. Every parameter must be there
// with its shape, and nothing else: a file of another architecture is refused
// by name.
func (l Layout) SetTensors(flat []float32, tensors map[string]safetensors.Tensor) error {
	known := make(map[string]bool, len(l.Params))
	for _, p := range l.Params {
		known[p.Name] = true
		t, ok := tensors[p.Name]
		if !ok {
			return fmt.Errorf("model: no tensor %s: the file holds another architecture", p.Name)
		}
		if !slices.Equal(t.Shape, p.Shape) {
			return fmt.Errorf("model: tensor %s has shape %v, want %v: the file holds another architecture", p.Name, t.Shape, p.Shape)
		}
		if err := t.CopyFloat32s(p.View(flat)); err != nil {
			return fmt.Errorf("model: tensor %s: %w", p.Name, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(tensors)) {
		if !known[name] {
			return fmt.Errorf("model: unexpected tensor %s: the file holds another architecture", name)
		}
	}
	return nil
}

// tableName is the name in published checkpoints of the noise levels of an iDDPM
// network: a buffer of the denoiser, not of the network inside it.
const tableName = "u"

// tabulated is a preconditioning with a table of noise levels of its own.
type tabulated interface{ Table() []float64 }

// Snapshot returns the weights and the configuration as the
// contents of a snapshot file. More metadata may be added.
func (m *Model) Snapshot(weights []float32) (*safetensors.File, error) {
	c, err := json.Marshal(m.config)
	if err != nil {
		return nil, err
	}
	f := &safetensors.File{
		Metadata: map[string]string{MetadataKey: string(c)},
		Tensors:  m.layout.Tensors(weights),
	}
	if p, ok := m.config.Precond.(tabulated); ok {
		u := p.Table()
		f.Tensors[tableName] = safetensors.FromFloat64s(u, len(u))
	}
	return f, nil
}

// SnapshotConfig returns the configuration of a snapshot's denoiser, and the tensors
// of its network. The noise levels in an iDDPM snapshot replace those of the formula.
func SnapshotConfig(f *safetensors.File) (Config, map[string]safetensors.Tensor, error) {
	var c Config
	text, ok := f.Metadata[MetadataKey]
	if !ok {
		return c, nil, fmt.Errorf("model: not a snapshot: no metadata %q", MetadataKey)
	}
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return c, nil, fmt.Errorf("model: snapshot's configuration: %w", err)
	}
	p, ok := c.Precond.(precond.IDDPM)
	table, has := f.Tensors[tableName]
	if !ok || !has {
		return c, f.Tensors, nil
	}
	u, err := table.Float64s()
	if err != nil {
		return c, nil, fmt.Errorf("model: tensor %s: %w", tableName, err)
	}
	if c.Precond, err = p.WithTable(u); err != nil {
		return c, nil, fmt.Errorf("model: tensor %s: %w", tableName, err)
	}
	network := maps.Clone(f.Tensors)
	delete(network, tableName)
	return c, network, nil
}

// FromSnapshot builds the denoiser that a snapshot describes and returns it
// with the weights.
func FromSnapshot(f *safetensors.File, d *Device) (*Model, []float32, error) {
	c, tensors, err := SnapshotConfig(f)
	if err != nil {
		return nil, nil, err
	}
	m, err := New(c, d)
	if err != nil {
		return nil, nil, err
	}
	// Before the weights are allocated: a small file may describe a huge network.
	var held, wanted int
	for _, t := range tensors {
		held += t.Len()
	}
	for _, p := range m.layout.Params {
		wanted += p.Len
	}
	if held != wanted {
		return nil, nil, fmt.Errorf("model: the file holds %d parameters, its configuration has %d", held, wanted)
	}
	weights := make([]float32, m.layout.Size)
	if err := m.layout.SetTensors(weights, tensors); err != nil {
		return nil, nil, err
	}
	return m, weights, nil
}
