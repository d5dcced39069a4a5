//go:build gpu

package cuda

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"
	"unsafe"

	"edm/internal/cuda/driver"
)

// mirror is a host slice with its counterpart on the device.
type mirror struct {
	flat []float32 // keeps the slice where it is
	at   pointer
}

// start returns the host address.
func (m *mirror) start() uintptr { return address(m.flat) }

// address returns where a slice begins.
func address(s []float32) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(s))) }

// mirrors finds counterparts by address.
type mirrors struct {
	mu      sync.RWMutex
	sorted  []mirror // by address; they do not overlap
	changes uint64   // how often the list changed
}

// errNotMirrored says that the device has no copy of a slice.
var errNotMirrored = errors.New("the slice is not mirrored on the device: Mirror it first")

// find returns the counterpart of a part; false if the whole of it has none.
func (m *mirrors) find(part []float32) (pointer, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	i, ok := m.index(part)
	if !ok {
		return 0, false
	}
	return m.sorted[i].at.plus(int(address(part)-m.sorted[i].start()) / 4), true
}

// index returns the mirror that holds all of a part.
func (m *mirrors) index(part []float32) (int, bool) {
	if len(part) == 0 {
		return 0, false
	}
	at := address(part)
	i, exact := slices.BinarySearchFunc(m.sorted, at, func(e mirror, at uintptr) int { return cmp.Compare(e.start(), at) })
	if !exact {
		i--
	}
	if i < 0 {
		return 0, false
	}
	e := &m.sorted[i]
	return i, at-e.start()+4*uintptr(len(part)) <= 4*uintptr(len(e.flat))
}

// insert adds a mirror.
func (m *mirrors) insert(e mirror) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i, _ := slices.BinarySearchFunc(m.sorted, e.start(), func(o mirror, at uintptr) int { return cmp.Compare(o.start(), at) })
	m.sorted = slices.Insert(m.sorted, i, e)
	m.changes++
}

// remove takes the mirror that begins where flat does off the list.
func (m *mirrors) remove(flat []float32) (pointer, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i, ok := m.index(flat)
	if !ok || m.sorted[i].start() != address(flat) {
		return 0, false
	}
	at := m.sorted[i].at
	m.sorted = slices.Delete(m.sorted, i, i+1)
	m.changes++
	return at, true
}

// overlaps reports whether a slice shares memory with one that is mirrored.
func (m *mirrors) overlaps(flat []float32) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	from, to := address(flat), address(flat)+4*uintptr(len(flat))
	return slices.ContainsFunc(m.sorted, func(e mirror) bool {
		return from < e.start()+4*uintptr(len(e.flat)) && e.start() < to
	})
}

// version returns how often the list changed.
func (m *mirrors) version() uint64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.changes
}

// Mirror implements engine.Memory.
func (b *Backend) Mirror(flat []float32) error {
	if len(flat) == 0 {
		return nil
	}
	if b.mirrors.overlaps(flat) {
		return errors.New("cuda: mirror: the slice, or a part of it, is mirrored already")
	}
	at, err := b.alloc("a flat buffer", 4*int64(len(flat)))
	if err != nil {
		return b.failed("mirror", err)
	}
	if err := driver.Upload(b.device, uint64(at), flat); err != nil {
		return errors.Join(b.failed("mirror", err), b.free(at))
	}
	b.mirrors.insert(mirror{flat, at})
	return nil
}

// Release implements engine.Memory.
func (b *Backend) Release(flat []float32) error {
	at, ok := b.mirrors.remove(flat)
	if !ok {
		return nil
	}
	// The driver's free waits for nothing of the streams' own.
	return b.failed("release", errors.Join(b.device.Synchronize(), b.free(at)))
}

// Mirrored implements engine.Memory.
func (b *Backend) Mirrored(part []float32) bool {
	_, ok := b.mirrors.find(part)
	return ok
}

// Upload implements engine.Memory.
func (b *Backend) Upload(part []float32) error {
	at, err := b.counterpart(part)
	if err == nil {
		err = driver.Upload(b.device, uint64(at), part)
	}
	return b.failed("upload", err)
}

// Download implements engine.Memory.
func (b *Backend) Download(part []float32) error {
	at, err := b.counterpart(part)
	if err == nil {
		err = driver.Download(b.device, part, uint64(at))
	}
	return b.failed("download", err)
}

// counterpart returns where a part lies on the device.
func (b *Backend) counterpart(part []float32) (pointer, error) {
	at, ok := b.mirrors.find(part)
	if !ok && len(part) > 0 {
		return 0, errNotMirrored
	}
	return at, nil
}

// Copy implements engine.Memory.
func (b *Backend) Copy(dst, src []float32) error {
	if len(dst) != len(src) {
		return fmt.Errorf("cuda: copy: %d elements to %d", len(src), len(dst))
	}
	to, toDevice := b.mirrors.find(dst)
	from, fromDevice := b.mirrors.find(src)
	if !toDevice && !fromDevice {
		copy(dst, src)
		return nil
	}
	if !toDevice || !fromDevice {
		return fmt.Errorf("cuda: copy: one slice is mirrored, the other not: %w", errNotMirrored)
	}
	return b.failed("copy", b.compute.Copy(uint64(to), uint64(from), 4*int64(len(src))))
}

// Clear implements engine.Memory.
func (b *Backend) Clear(part []float32) error {
	at, ok := b.mirrors.find(part)
	if !ok {
		clear(part)
		return nil
	}
	return b.failed("clear", b.compute.Fill(uint64(at), 0, int64(len(part))))
}

// Free implements engine.Memory.
func (b *Backend) Free() (int64, error) {
	n, err := b.device.FreeMem()
	return n, b.failed("ask for free memory", err)
}
