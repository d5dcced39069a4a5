//go:build gpu

package cuda

import (
	"errors"

	"edm/internal/cuda/driver"
)

// tensorMap is an argument of a launch: a dense array of bfloat16 in device memory,
// and the box of it that one copy brings to shared memory, with rows of 128 bytes
// swizzled. The innermost dimension comes first. The kernel gets the address of the
// map that the driver makes of it.
type tensorMap struct {
	at           pointer
	extents, box [4]int
}

// place writes the tensor maps of launches to device memory of their own, which is
// to be freed when the launches are done; 0 if there are none.
func (b *Backend) place(all []*ready) (pointer, error) {
	var maps []driver.TensorMap
	for _, l := range all {
		for _, a := range l.args {
			if m, ok := a.(tensorMap); ok {
				encoded, err := b.device.EncodeTensorMap(m.at, m.extents, m.box)
				if err != nil {
					return 0, err
				}
				maps = append(maps, encoded)
			}
		}
	}
	if len(maps) == 0 {
		return 0, nil
	}
	at, err := b.alloc("tensor maps", int64(len(maps))*tensorMapBytes)
	if err != nil {
		return 0, err
	}
	next := at
	for _, l := range all {
		for i, a := range l.args {
			if _, ok := a.(tensorMap); ok {
				l.values.SetPointer(i, uint64(next))
				next += tensorMapBytes
			}
		}
	}
	if err := driver.Upload(b.device, uint64(at), bytes); err != nil {
		return 0, errors.Join(err, b.free(at))
	}
	return at, nil
}
