//go:build gpu

package driver

import (
	"fmt"
	"math"
	"unsafe"
)

// The grid and block that every supported device takes.
const (
	maxGridX  = math.MaxInt32
	maxGridYZ = 65535
	maxBlock  = 1024
	maxBlockZ = 64
)

// Args are the arguments of a launch, in the kernel's order. They are prepared
// once and may be launched often; the zero value is no arguments. The binding
// copies 8 bytes of each, so each has a slot of 8, whatever its size.
type Args struct {
	slots    []uint64
	pointers []unsafe.Pointer // to the slots, made by the first launch
}

// Pointer adds an address in device memory.
func (a *Args) Pointer(v uint64) { a.add(v) }

// Int32 adds an int.
func (a *Args) Int32(v int32) { a.add(uint64(uint32(v))) }

// Uint32 adds an unsigned int.
func (a *Args) Uint32(v uint32) { a.add(uint64(v)) }

// Int64 adds a long long.
func (a *Args) Int64(v int64) { a.add(uint64(v)) }

// Float32 adds a float.
func (a *Args) Float32(v float32) { a.add(uint64(math.Float32bits(v))) }

// SetPointer changes argument i, an address.
func (a *Args) SetPointer(i int, v uint64) { a.slots[i] = v }

// add adds a slot. The value lies in its low bytes, which come first on the
// little-endian machines that have CUDA.
func (a *Args) add(v uint64) {
	a.slots = append(a.slots, v)
	a.pointers = nil
}

// list returns pointers to the slots.
func (a *Args) list() []unsafe.Pointer {
	if a.pointers == nil {
		a.pointers = make([]unsafe.Pointer, len(a.slots))
		for i := range a.slots {
			a.pointers[i] = unsafe.Pointer(&a.slots[i])
		}
	}
	return a.pointers
}

// Launch queues a kernel with a grid of blocks, a block of threads, and bytes of
// dynamic shared memory a block. Arguments are copied before it returns. Errors
// name the kernel.
func (s *Stream) Launch(f *Function, grid, block [3]int, shared int, args *Args) error {
	if err := checkLaunch(grid, block, shared, f.shared); err != nil {
		return fmt.Errorf("driver: launch %s: %w", f.name, err)
	}
	err := s.device.Do(func() error {
		return wrap("cuLaunchKernel", f.function.Launch(grid[0], grid[1], grid[2],
			block[0], block[1], block[2], shared, s.stream, args.list()))
	})
	if err != nil {
		return fmt.Errorf("driver: launch %s, grid %v, block %v, %d bytes shared: %w", f.name, grid, block, shared, err)
	}
	return nil
}

// checkLaunch returns an error for a launch that no device accepts.
func checkLaunch(grid, block [3]int, shared, allowed int) error {
	for i, most := range [3]int{maxGridX, maxGridYZ, maxGridYZ} {
		if grid[i] < 1 || grid[i] > most {
			return fmt.Errorf("grid %v: want 1 to %d in dimension %d", grid, most, i)
		}
	}
	for i, most := range [3]int{maxBlock, maxBlock, maxBlockZ} {
		if block[i] < 1 || block[i] > most {
			return fmt.Errorf("block %v: want 1 to %d in dimension %d", block, most, i)
		}
	}
	if n := block[0] * block[1] * block[2]; n > maxBlock {
		return fmt.Errorf("block %v has %d threads: want at most %d", block, n, maxBlock)
	}
	if shared < 0 || shared > allowed {
		return fmt.Errorf("%d bytes of shared memory: want 0 to %d; ask for more with AllowShared", shared, allowed)
	}
	return nil
}
