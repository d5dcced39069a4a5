// Package safetensors reads and writes the safetensors format: an 8-byte
// little-endian header length, a JSON header, and raw tensor bytes. Nothing in
// a file is ever executed, and every length is checked before it is believed.
package safetensors

import "math"

// DType is an element type as the header spells it.
type DType string

// The element types this package converts. Others are kept as raw bytes.
const (
	F32 DType = "F32"
	F64 DType = "F64"
	I64 DType = "I64"
	I32 DType = "I32"
	U8  DType = "U8"
)

var sizes = map[DType]int{
	"F64": 8, "I64": 8, "U64": 8, "F32": 4, "I32": 4, "U32": 4,
	"F16": 2, "BF16": 2, "I16": 2, "U16": 2, "I8": 1, "U8": 1, "BOOL": 1,
	"F8_E4M3": 1, "F8_E5M2": 1,
}

// Tensor is one named array, row-major, little-endian.
type Tensor struct {
	DType DType
	Shape []int
	Data  []byte
}

// File is a whole safetensors file in memory. Tensor data may share the
// buffer that the file was parsed from.
type File struct {
	Metadata map[string]string
	Tensors  map[string]Tensor
}

// Len returns the number of elements.
func (t Tensor) Len() int {
	n := 1
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

// byteSize returns the bytes that an array of this type and shape takes, and
// false where the type is unknown, a dimension negative or the size too large.
func byteSize(d DType, shape []int) (int64, bool) {
	size, ok := sizes[d]
	if !ok {
		return 0, false
	}
	n := int64(size)
	for _, d := range shape {
		if d < 0 || (d > 0 && n > math.MaxInt64/int64(d)) {
			return 0, false
		}
		n *= int64(d)
	}
	return n, true
}
