package model

import (
	"errors"
	"fmt"
	"sync"

	"edm/internal/engine"
	"edm/internal/sysmem"
)

// Mirror copies flat buffers to the memory of a device that has its own, a GPU. From
// then on programs and the optimiser use the device's copies: call Upload after the
// host changes a buffer, and Download before the host reads one. On other devices all
// three do nothing and succeed. Mirror copies all buffers or none.
func (d *Device) Mirror(flat ...[]float32) error {
	m, ok := d.backend.(engine.Memory)
	if !ok {
		return nil
	}
	for i, f := range flat {
		if err := errors.Join(d.yield(f), m.Mirror(f)); err != nil {
			return errors.Join(lacking(err), d.Release(flat[:i]...))
		}
	}
	return nil
}

// Release gives the counterparts of buffers back.
func (d *Device) Release(flat ...[]float32) error {
	return d.each(engine.Memory.Release, flat)
}

// Upload copies parts of mirrored buffers to the device.
func (d *Device) Upload(parts ...[]float32) error { return d.each(engine.Memory.Upload, parts) }

// Download copies parts of mirrored buffers from the device.
func (d *Device) Download(parts ...[]float32) error {
	return d.each(engine.Memory.Download, parts)
}

// each calls a method for every slice where the device has a memory of its own.
func (d *Device) each(call func(engine.Memory, []float32) error, slices [][]float32) error {
	m, ok := d.backend.(engine.Memory)
	if !ok {
		return nil
	}
	for _, s := range slices {
		if err := call(m, s); err != nil {
			return fmt.Errorf("model: %w", err)
		}
	}
	return nil
}

// Copy copies src to dst, two parts of equal length, where they are: on the
// device if they are mirrored.
func (d *Device) Copy(dst, src []float32) error {
	m, ok := d.backend.(engine.Memory)
	if !ok {
		copy(dst, src)
		return nil
	}
	if err := m.Copy(dst, src); err != nil {
		return fmt.Errorf("model: %w", err)
	}
	return nil
}

// Clear writes zeros to a part, on the device if it is mirrored.
func (d *Device) Clear(part []float32) error {
	m, ok := d.backend.(engine.Memory)
	if !ok {
		clear(part)
		return nil
	}
	if err := m.Clear(part); err != nil {
		return fmt.Errorf("model: %w", err)
	}
	return nil
}

// holds are the weights that a device's memory has for denoisers, by model.
type holds struct {
	mu sync.Mutex
	of map[*Model][]float32
}

// hold mirrors the weights of a denoiser, so that its programs for all numbers of
// images share one copy. It mirrors those of one denoiser of a model at a time;
// programs that still run the weights of an earlier one copy them. Buffers that the
// owner mirrored stay as they are.
func (d *Device) hold(m *Model, weights []float32) error {
	memory, ok := d.backend.(engine.Memory)
	if !ok || len(weights) == 0 {
		return nil
	}
	d.holds.mu.Lock()
	defer d.holds.mu.Unlock()
	held := d.holds.of[m]
	if len(held) > 0 && &held[0] == &weights[0] {
		return d.Upload(weights)
	}
	if memory.Mirrored(weights) {
		return nil
	}
	delete(d.holds.of, m)
	if err := d.Release(held); err != nil {
		return err
	}
	if err := memory.Mirror(weights); err != nil {
		return lacking(err)
	}
	if d.holds.of == nil {
		d.holds.of = map[*Model][]float32{}
	}
	d.holds.of[m] = weights
	return nil
}

// yield frees the copies made by hold of parts of a slice that its owner mirrors.
func (d *Device) yield(flat []float32) error {
	d.holds.mu.Lock()
	defer d.holds.mu.Unlock()
	for m, held := range d.holds.of {
		if len(flat) > 0 && &held[0] == &flat[0] {
			delete(d.holds.of, m)
			return d.Release(held)
		}
	}
	return nil
}

// HasMemory reports whether the device has a memory of its own, as a GPU has.
func (d *Device) HasMemory() bool {
	_, ok := d.backend.(engine.Memory)
	return ok
}

// FreeMemory returns the bytes that programs and buffers can still have: of the
// device where it has a memory of its own, else of the machine. Not every system
// says.
func (d *Device) FreeMemory() (bytes int64, known bool) {
	if m, ok := d.backend.(engine.Memory); ok {
		free, err := m.Free()
		return free, err == nil
	}
	return sysmem.Available()
}
