//go:build gpu

package driver

// #include "extra.h"
import "C"

import (
	"errors"
	"fmt"
	"unsafe"
)

// TensorMapSize is the size of an encoded map in bytes. In memory of the device it
// is aligned to 64 bytes.
const TensorMapSize = C.EDM_TENSOR_MAP_SIZE

// tensorMapMajor is the least major number of the compute capability of devices
// that load by tensor map: Hopper's.
const tensorMapMajor = 9

// TensorElement is the type of an array's elements.
type TensorElement int

// The types, by the driver's numbers.
const (
	TensorFloat32  TensorElement = 7
	TensorBFloat16 TensorElement = 9
)

// size returns the bytes of an element, 0 for an unknown type.
func (e TensorElement) size() int64 {
	switch e {
	case TensorFloat32:
		return 4
	case TensorBFloat16:
		return 2
	}
	return 0
}

// Swizzle says how 16-byte pieces are permuted in shared memory: kernels/hopper.cuh
// has the pattern. The names give the width in bytes of the box's rows.
type Swizzle int

// The patterns, by the driver's numbers.
const (
	SwizzleNone Swizzle = iota
	Swizzle32
	Swizzle64
	Swizzle128
)

// width returns the bytes of a row, 0 without a swizzle.
func (s Swizzle) width() int64 {
	if s == SwizzleNone {
		return 0
	}
	return 16 << s
}

// TensorMap describes an array in the device's memory and the box of it that one
// load of a kernel for Hopper copies to shared memory. Dimension 0 is the
// innermost. Elements outside of the array are loaded as zeros.
type TensorMap struct {
	Element TensorElement
	Address uint64  // of the first element, a multiple of 16
	Sizes   []int64 // elements of each of 1 to 5 dimensions
	Strides []int64 // bytes from one index to the next, of dimensions 1 and up; multiples of 16
	Box     []int   // elements of each dimension, 1 to 256; a row is a multiple of 16 bytes
	Swizzle Swizzle
}

// EncodeTensorMap returns the map's bytes, which are the driver's own. The caller
// copies them to the device. It returns an error that says which field is wrong,
// that the device is older than Hopper, or what to update where the driver is too
// old to know maps.
func (d *Device) EncodeTensorMap(m TensorMap) ([TensorMapSize]byte, error) {
	var out [TensorMapSize]byte
	if d.info.Major < tensorMapMajor {
		return out, fmt.Errorf("driver: tensor maps want compute capability 9.0 or newer, %s has %d.%d", d.info.Name, d.info.Major, d.info.Minor)
	}
	if err := m.check(); err != nil {
		return out, fmt.Errorf("driver: tensor map: %w", err)
	}
	err := d.Do(func() error {
		return check("cuTensorMapEncodeTiled", m.encode(&out))
	})
	if errors.Is(err, NotFound) {
		err = fmt.Errorf("%w: tensor maps came with CUDA 12.0; update the NVIDIA driver to version 525 or newer", err)
	}
	if err != nil {
		return out, fmt.Errorf("driver: tensor map of %v elements at %#x: %w", m.Sizes, m.Address, err)
	}
	return out, nil
}

// encode calls the driver.
func (m TensorMap) encode(out *[TensorMapSize]byte) C.CUresult {
	var sizes, strides [5]C.ulonglong
	var box [5]C.uint
	for i := range m.Sizes {
		sizes[i], box[i] = C.ulonglong(m.Sizes[i]), C.uint(m.Box[i])
		if i > 0 {
			strides[i-1] = C.ulonglong(m.Strides[i-1])
		}
	}
	return C.edm_encode_tensor_map(unsafe.Pointer(out), C.int(m.Element), C.uint(len(m.Sizes)), C.uint64_t(m.Address),
		&sizes[0], &strides[0], &box[0], C.int(m.Swizzle))
}

// check returns an error for a map that the driver or the hardware would refuse.
func (m TensorMap) check() error {
	rank := len(m.Sizes)
	switch {
	case rank < 1 || rank > 5:
		return fmt.Errorf("%d dimensions: want 1 to 5", rank)
	case len(m.Strides) != rank-1 || len(m.Box) != rank:
		return fmt.Errorf("%d strides and a box of %d dimensions for %d: want %d and %d", len(m.Strides), len(m.Box), rank, rank-1, rank)
	case m.Element.size() == 0:
		return fmt.Errorf("element type %d: want TensorFloat32 or TensorBFloat16", m.Element)
	case m.Address == 0 || m.Address%16 != 0:
		return fmt.Errorf("address %#x: want a multiple of 16", m.Address)
	case m.Swizzle < SwizzleNone || m.Swizzle > Swizzle128:
		return fmt.Errorf("swizzle %d: want SwizzleNone to Swizzle128", m.Swizzle)
	}
	for i, n := range m.Sizes {
		if n < 1 || n > 1<<32 {
			return fmt.Errorf("size %d of dimension %d: want 1 to 2^32", n, i)
		}
		if m.Box[i] < 1 || m.Box[i] > 256 {
			return fmt.Errorf("box of %d in dimension %d: want 1 to 256", m.Box[i], i)
		}
	}
	if err := m.checkStrides(); err != nil {
		return err
	}
	return m.checkRow()
}

// checkStrides returns the faults of the strides, or nil.
func (m TensorMap) checkStrides() error {
	within := m.Sizes[0] * m.Element.size()
	for i, s := range m.Strides {
		if s%16 != 0 || s < 0 || s >= 1<<40 {
			return fmt.Errorf("stride of %d bytes in dimension %d: want a multiple of 16 below 2^40", s, i+1)
		}
		if s < within {
			return fmt.Errorf("stride of %d bytes in dimension %d: the dimensions within take %d", s, i+1, within)
		}
		within = s * m.Sizes[i+1]
	}
	return nil
}

// checkRow returns what is wrong with the box's rows, or nil. The driver takes rows
// narrower than the swizzle too, but no document says how they lie.
func (m TensorMap) checkRow() error {
	row := int64(m.Box[0]) * m.Element.size()
	if row%16 != 0 {
		return fmt.Errorf("box rows of %d bytes: want a multiple of 16", row)
	}
	if width := m.Swizzle.width(); width != 0 && row != width {
		return fmt.Errorf("box rows of %d bytes with a swizzle of %d: want rows of that width", row, width)
	}
	return nil
}
