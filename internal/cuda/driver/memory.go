//go:build gpu

package driver

// #include "extra.h"
import "C"

import (
	"errors"
	"fmt"
	"unsafe"

	"gorgonia.org/cu"
)

// Element is a type whose slices are copied to and from a device as they are.
type Element interface {
	~float32 | ~float64 | ~int8 | ~uint8 | ~int32 | ~uint32 | ~int64 | ~uint64
}

// Alloc returns the address of n new bytes of device memory, aligned to 256
// bytes at least, contents undefined. errors.Is(err, OutOfMemory) tells when
// there is not enough.
func (d *Device) Alloc(n int64) (uint64, error) {
	if n <= 0 {
		return 0, fmt.Errorf("driver: allocate %d bytes on the device: want at least 1", n)
	}
	var address cu.DevicePtr
	err := d.Do(func() error {
		var err error
		if address, err = cu.MemAlloc(n); err != nil {
			return wrap("cuMemAlloc_v2", err)
		}
		d.held.keep(address, func() error { return d.Free(uint64(address)) })
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("driver: allocate %d bytes on the device: %w", n, err)
	}
	return uint64(address), nil
}

// Free gives the memory that Alloc returned back; address 0 is none.
func (d *Device) Free(address uint64) error {
	if address == 0 {
		return nil
	}
	return d.Do(func() error {
		d.held.drop(cu.DevicePtr(address))
		return wrap("cuMemFree_v2", cu.MemFree(cu.DevicePtr(address)))
	})
}

// Upload copies src to the device memory at dst. It waits for all earlier work
// of the device, and is done when it returns. Not while a stream is captured.
func Upload[T Element](d *Device, dst uint64, src []T) error {
	if len(src) == 0 {
		return nil
	}
	n := int64(len(src)) * int64(unsafe.Sizeof(src[0]))
	return d.alone(func() error {
		d.up.Add(n)
		return wrap("cuMemcpyHtoD_v2", cu.MemcpyHtoD(cu.DevicePtr(dst), unsafe.Pointer(unsafe.SliceData(src)), n))
	})
}

// Download copies the device memory at src to dst. It waits for all earlier work
// of the device, and is done when it returns. Not while a stream is captured.
func Download[T Element](d *Device, dst []T, src uint64) error {
	if len(dst) == 0 {
		return nil
	}
	n := int64(len(dst)) * int64(unsafe.Sizeof(dst[0]))
	return d.alone(func() error {
		d.down.Add(n)
		return wrap("cuMemcpyDtoH_v2", cu.MemcpyDtoH(unsafe.Pointer(unsafe.SliceData(dst)), cu.DevicePtr(src), n))
	})
}

// Fill sets n 32-bit words of device memory at dst, which is a multiple of 4. It
// waits for all earlier work of the device, and is done when it returns. Not
// while a stream is captured.
func (d *Device) Fill(dst uint64, word uint32, n int64) error {
	if n == 0 {
		return nil
	}
	return d.alone(func() error {
		return wrap("cuMemsetD32_v2", cu.MemsetD32(cu.DevicePtr(dst), word, n))
	})
}

// alone runs f between two waits for the whole device. The driver's synchronous
// calls run on its default stream, which does not wait for this package's
// streams, and some return before the device is done.
func (d *Device) alone(f func() error) error {
	return d.Do(func() error {
		if err := cu.Synchronize(); err != nil {
			return wrap("cuCtxSynchronize", err)
		}
		if err := f(); err != nil {
			return err
		}
		return wrap("cuCtxSynchronize", cu.Synchronize())
	})
}

// Pinned is page-locked host memory, the only kind that streams copy from and
// to. It is not Go's: its slices are gone with Close.
type Pinned struct {
	device  *Device
	at      unsafe.Pointer
	size    int
	address uint64 // on the device, of what AllocMapped returned
}

// AllocPinned returns n bytes of page-locked host memory, contents undefined.
func (d *Device) AllocPinned(n int) (*Pinned, error) {
	if n <= 0 {
		return nil, fmt.Errorf("driver: allocate %d bytes of page-locked memory: want at least 1", n)
	}
	p := &Pinned{device: d, size: n}
	err := d.Do(func() error {
		if err := check("cuMemAllocHost_v2", C.cuMemAllocHost_v2(&p.at, C.size_t(n))); err != nil {
			return err
		}
		d.held.keep(p, p.Close)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("driver: allocate %d bytes of page-locked memory: %w", n, err)
	}
	return p, nil
}

// AllocMapped returns n bytes of page-locked host memory that kernels write too,
// at Address. It outlives whatever befalls the device's own memory.
func (d *Device) AllocMapped(n int) (*Pinned, error) {
	if n <= 0 {
		return nil, fmt.Errorf("driver: allocate %d bytes of mapped memory: want at least 1", n)
	}
	p := &Pinned{device: d, size: n}
	err := d.Do(func() error {
		err := check("cuMemHostAlloc", C.cuMemHostAlloc(&p.at, C.size_t(n), C.EDM_HOST_PORTABLE|C.EDM_HOST_MAPPED))
		if err != nil {
			return err
		}
		var address C.CUdeviceptr
		if err := check("cuMemHostGetDevicePointer_v2", C.cuMemHostGetDevicePointer_v2(&address, p.at, 0)); err != nil {
			return errors.Join(err, p.Close())
		}
		p.address = uint64(address)
		d.held.keep(p, p.Close)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("driver: allocate %d bytes of mapped memory: %w", n, err)
	}
	return p, nil
}

// Address returns where kernels find the memory, 0 unless AllocMapped returned it.
func (p *Pinned) Address() uint64 { return p.address }

// Size returns the number of bytes.
func (p *Pinned) Size() int { return p.size }

// View returns the memory as a slice of T, as many as fit.
func View[T Element](p *Pinned) []T {
	var t T
	return unsafe.Slice((*T)(p.at), p.size/int(unsafe.Sizeof(t)))
}

// Close frees the memory. No copy may be under way.
func (p *Pinned) Close() error {
	if p.at == nil {
		return nil
	}
	at := p.at
	p.at, p.size, p.address = nil, 0, 0
	return p.device.Do(func() error {
		p.device.held.drop(p)
		return wrap("cuMemFreeHost", cu.MemFreeHost(at))
	})
}

// part returns the address of n bytes at the offset.
func (p *Pinned) part(offset, n int) (unsafe.Pointer, error) {
	if offset < 0 || n < 0 || offset > p.size-n {
		return nil, fmt.Errorf("driver: bytes %d to %d of page-locked memory that has %d", offset, offset+n, p.size)
	}
	return unsafe.Add(p.at, offset), nil
}
