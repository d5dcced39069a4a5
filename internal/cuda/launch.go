//go:build gpu

package cuda

// pointer is an address in device memory; 0 is none.
type pointer uint64

// plus returns the address n float32 elements further on.
func (p pointer) plus(n int) pointer { return p + 4*pointer(n) }

// operands are where one operation's arrays lie on the device. out may be equal
// to an input that the operation's InPlace names.
type operands struct {
	out  pointer
	in   []pointer
	work pointer // as many float32 elements as workspace asked for, contents undefined
	// packed are the inputs as packed pixels, see packer: as many as in, or none. 0:
	// not packed, and then the launches do it in their scratch memory.
	packed []pointer
}

// launch is one kernel launch with all its arguments.
type launch struct {
	module, name string
	grid, block  [3]int
	shared       int   // bytes of dynamic shared memory
	args         []any // pointer, tensorMap, int32, uint32, int64 or float32, in the kernel's order
}

// kernelName returns the kernel's name behind its module's.
func (l *launch) kernelName() string { return l.module + "." + l.name }

// kernel is one operation prepared for its shapes.
type kernel interface {
	// workspace returns the float32 elements of scratch memory that the launches
	// want. It is part of the arena and alive during this operation only.
	workspace() int
	// launches returns the operation's kernels, in order.
	launches(o operands) []launch
}

// packer is a kernel that reads inputs as packed pixels (packedPixels) and not as
// float32 where it is given them so.
type packer interface {
	// packedInputs returns which inputs.
	packedInputs() []int
	// packedWorkspace is workspace where all of them are packed.
	packedWorkspace() int
}

// precision says how products of matrices are computed; everything else is
// float32 in all of them.
type precision int

// The precisions.
const (
	fp32 precision = iota // IEEE float32 multiply-adds
	tf32                  // tensor cores, operands rounded to tf32
	bf16                  // tensor cores, operands rounded to bfloat16
)

// maxShared is the dynamic shared memory that every supported device can give a
// block, in bytes.
const maxShared = 99 << 10
