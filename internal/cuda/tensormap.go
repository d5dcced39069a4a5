//go:build gpu

package cuda

import (
	"errors"
	"fmt"

	"edm/internal/cuda/driver"
)

// tensorMap is an argument of a launch: a dense array of bfloat16 in device memory,
// and the box of it that one copy brings to shared memory, in swizzled rows of 128
// bytes. The innermost dimension comes first. The kernel gets the address of the
// map that the driver makes of it.
type tensorMap struct {
	at           pointer
	extents, box [4]int
}

// encode returns the driver's map.
func (m tensorMap) encode(d *driver.Device) ([driver.TensorMapSize]byte, error) {
	e := driver.TensorMap{
		Element: driver.TensorBFloat16, Address: uint64(m.at), Box: m.box[:], Swizzle: driver.Swizzle128,
	}
	stride := int64(2)
	for i, n := range m.extents {
		if i > 0 {
			e.Strides = append(e.Strides, stride)
		}
		e.Sizes = append(e.Sizes, int64(n))
		stride *= int64(n)
	}
	return d.EncodeTensorMap(e)
}

// tensorMaps returns the number of tensor maps among the arguments.
func (l *launch) tensorMaps() int {
	n := 0
	for _, a := range l.args {
		if _, ok := a.(tensorMap); ok {
			n++
		}
	}
	return n
}

// place puts the tensor maps of launches into device memory and their addresses among
// the arguments. The memory, 0 if there are no maps, is to be freed when the launches
// are done.
func (b *Backend) place(all []*ready) (pointer, error) {
	type argument struct {
		of    *ready
		index int
	}
	var arguments []argument
	var maps []byte
	for _, l := range all {
		for i, a := range l.args {
			m, ok := a.(tensorMap)
			if !ok {
				continue
			}
			encoded, err := m.encode(b.device)
			if err != nil {
				return 0, fmt.Errorf("argument %d of kernel %s.%s: %w", i, l.module, l.name, err)
			}
			arguments, maps = append(arguments, argument{l, i}), append(maps, encoded[:]...)
		}
	}
	if len(maps) == 0 {
		return 0, nil
	}
	at, err := b.alloc("tensor maps", int64(len(maps)))
	if err != nil {
		return 0, err
	}
	for n, a := range arguments {
		a.of.values.SetPointer(a.index, uint64(at)+uint64(n*driver.TensorMapSize))
	}
	if err := driver.Upload(b.device, uint64(at), maps); err != nil {
		return 0, errors.Join(err, b.free(at))
	}
	return at, nil
}
