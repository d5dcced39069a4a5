package safetensors

import (
	"encoding/binary"
	"fmt"
	"math"
	"unsafe"
)

// number lists the element types that conversions produce and accept.
type number interface{ float32 | float64 | int64 }

// Float32s returns a copy of the elements as float32; F32 and F64 tensors
// convert.
func (t Tensor) Float32s() ([]float32, error) { return floats[float32](t) }

// Float64s returns a copy of the elements as float64; F32 and F64 tensors
// convert.
func (t Tensor) Float64s() ([]float64, error) { return floats[float64](t) }

// CopyFloat32s writes the elements to dst, which must have exactly Len
// elements, without any buffer between; F32 and F64 tensors convert.
func (t Tensor) CopyFloat32s(dst []float32) error { return copyFloats(dst, t) }

// CopyFloat64s writes the elements to dst, which must have exactly Len
// elements, without any buffer between; F32 and F64 tensors convert.
func (t Tensor) CopyFloat64s(dst []float64) error { return copyFloats(dst, t) }

func floats[T float32 | float64](t Tensor) ([]T, error) {
	if err := t.check(F32, F64); err != nil {
		return nil, err
	}
	out := make([]T, t.Len())
	return out, copyFloats(out, t)
}

func copyFloats[T float32 | float64](dst []T, t Tensor) error {
	if err := t.check(F32, F64); err != nil {
		return err
	}
	if len(dst) != t.Len() {
		return fmt.Errorf("tensor has shape %v, want %d elements", t.Shape, len(dst))
	}
	switch {
	case nativeLittle() && int(unsafe.Sizeof(T(0))) == sizes[t.DType]:
		copy(rawBytes(dst), t.Data)
	case t.DType == F32:
		for i := range dst {
			dst[i] = T(math.Float32frombits(binary.LittleEndian.Uint32(t.Data[4*i:])))
		}
	default:
		for i := range dst {
			dst[i] = T(math.Float64frombits(binary.LittleEndian.Uint64(t.Data[8*i:])))
		}
	}
	return nil
}

// Int64s returns a copy of the elements of an I64 or I32 tensor.
func (t Tensor) Int64s() ([]int64, error) {
	if err := t.check(I64, I32); err != nil {
		return nil, err
	}
	out := make([]int64, t.Len())
	for i := range out {
		if t.DType == I64 {
			out[i] = int64(binary.LittleEndian.Uint64(t.Data[8*i:]))
		} else {
			out[i] = int64(int32(binary.LittleEndian.Uint32(t.Data[4*i:])))
		}
	}
	return out, nil
}

// check reports a type that is neither a nor b, and a tensor built by hand
// whose data does not fit its shape.
func (t Tensor) check(a, b DType) error {
	if t.DType != a && t.DType != b {
		return fmt.Errorf("tensor has type %s, want %s or %s", t.DType, a, b)
	}
	if n, ok := byteSize(t.DType, t.Shape); !ok || n != int64(len(t.Data)) {
		return fmt.Errorf("tensor has %d bytes for shape %v of %s", len(t.Data), t.Shape, t.DType)
	}
	return nil
}

// FromFloat32s returns an F32 tensor with a copy of x; the product of shape
// must be len(x).
func FromFloat32s(x []float32, shape ...int) Tensor { return Tensor{F32, shape, littleBytes(x)} }

// FromFloat64s returns an F64 tensor with a copy of x; the product of shape
// must be len(x).
func FromFloat64s(x []float64, shape ...int) Tensor { return Tensor{F64, shape, littleBytes(x)} }

// FromInt64s returns an I64 tensor with a copy of x; the product of shape must
// be len(x).
func FromInt64s(x []int64, shape ...int) Tensor { return Tensor{I64, shape, littleBytes(x)} }

// ViewFloat32s returns an F32 tensor whose Data is the memory of x itself: it
// costs nothing, later writes to x show through, and x must not change while
// the tensor is hashed or written. On a big-endian machine it is a copy. The
// product of shape must be len(x).
func ViewFloat32s(x []float32, shape ...int) Tensor {
	return Tensor{F32, shape, view(x, nativeLittle())}
}

// ViewFloat64s is ViewFloat32s for float64.
func ViewFloat64s(x []float64, shape ...int) Tensor {
	return Tensor{F64, shape, view(x, nativeLittle())}
}

// ViewInt64s is ViewFloat32s for int64.
func ViewInt64s(x []int64, shape ...int) Tensor {
	return Tensor{I64, shape, view(x, nativeLittle())}
}

func view[T number](x []T, little bool) []byte {
	if !little {
		return littleBytes(x)
	}
	b := rawBytes(x)
	return b[:len(b):len(b)] // an append must not write behind x
}

// littleBytes returns the little-endian bytes of x in memory of their own.
func littleBytes[T number](x []T) []byte {
	out := make([]byte, 0, len(x)*int(unsafe.Sizeof(T(0))))
	for _, v := range x {
		switch v := any(v).(type) {
		case float32:
			out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
		case float64:
			out = binary.LittleEndian.AppendUint64(out, math.Float64bits(v))
		case int64:
			out = binary.LittleEndian.AppendUint64(out, uint64(v))
		}
	}
	return out
}

// rawBytes returns the memory of x as bytes in the machine's own order.
func rawBytes[T number](x []T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), len(x)*int(unsafe.Sizeof(T(0))))
}

// nativeLittle reports whether numbers lie in memory as the format has them.
func nativeLittle() bool { return binary.NativeEndian.Uint16([]byte{1, 0}) == 1 }
