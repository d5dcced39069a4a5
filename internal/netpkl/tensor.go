package netpkl

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"

	"edm/checkpoints/safetensors"
)

// maxDims bounds a tensor's dimensions; a network's have four at most.
const maxDims = 8

// tensor is a view of a storage: element (i, j, ...) is at offset + i stride_0 +
// j stride_1 + ....
type tensor struct {
	storage       *storage
	offset        int
	shape, stride []int
	len           int // elements
	span          int // elements from the first to the last in the storage
}

// rebuildTensor is torch._utils._rebuild_tensor(storage, offset, shape, stride)
// and its successor, which has more arguments that do not matter here.
func rebuildTensor(args []any) (any, error) {
	if len(args) < 4 {
		return nil, fmt.Errorf("%d arguments, want 4 or more", len(args))
	}
	s, ok := args[0].(*storage)
	if !ok {
		return nil, fmt.Errorf("made from %s, want a stored tensor", kindOf(args[0]))
	}
	offset, ok := args[1].(int)
	if !ok {
		return nil, fmt.Errorf("offset is %s, want an integer", kindOf(args[1]))
	}
	shape, err := integers(args[2])
	if err != nil {
		return nil, fmt.Errorf("shape: %w", err)
	}
	stride, err := integers(args[3])
	if err != nil {
		return nil, fmt.Errorf("strides: %w", err)
	}
	t := &tensor{storage: s, offset: offset, shape: shape, stride: stride}
	return t, t.measure()
}

func integers(v any) ([]int, error) {
	list, ok := items(v)
	if !ok || len(list) > maxDims {
		return nil, fmt.Errorf("%s, want a tuple of at most %d integers", kindOf(v), maxDims)
	}
	out := make([]int, len(list))
	for i, e := range list {
		if out[i], ok = e.(int); !ok {
			return nil, fmt.Errorf("it holds %s, want integers", kindOf(e))
		}
	}
	return out, nil
}

// measure sets len and span, and holds the tensor to the bounds of its storage:
// no element outside it, and no more elements than it has.
func (t *tensor) measure() error {
	if len(t.shape) != len(t.stride) {
		return fmt.Errorf("%d dimensions and %d strides", len(t.shape), len(t.stride))
	}
	if t.offset < 0 || int64(t.offset) > t.storage.len {
		return fmt.Errorf("offset %d in a storage of %d elements", t.offset, t.storage.len)
	}
	count, last, empty := int64(1), int64(0), false
	for i, d := range t.shape {
		s := t.stride[i]
		if d < 0 || s < 0 {
			return fmt.Errorf("shape %v with strides %v: want no negative number", t.shape, t.stride)
		}
		if empty = empty || d == 0; empty {
			continue
		}
		// Both factors are checked before they are multiplied.
		if int64(d) > t.storage.len || count*int64(d) > t.storage.len {
			return fmt.Errorf("shape %v in a storage of %d elements", t.shape, t.storage.len)
		}
		count *= int64(d)
		if d > 1 && int64(s) > (t.storage.len-last)/int64(d-1) {
			return fmt.Errorf("shape %v with strides %v reaches outside a storage of %d elements", t.shape, t.stride, t.storage.len)
		}
		last += int64(d-1) * int64(s)
	}
	if empty {
		return nil
	}
	if int64(t.offset)+last >= t.storage.len {
		return fmt.Errorf("shape %v with strides %v at offset %d reaches outside a storage of %d elements",
			t.shape, t.stride, t.offset, t.storage.len)
	}
	t.len, t.span = int(count), int(last)+1
	return nil
}

// contiguous reports whether the elements lie in their order without gaps.
func (t *tensor) contiguous() bool {
	want := 1
	for i := len(t.shape) - 1; i >= 0; i-- {
		if t.shape[i] != 1 && t.stride[i] != want {
			return false
		}
		want *= t.shape[i]
	}
	return true
}

// read returns the tensor in float32. left is how many bytes of the file may
// still be read for tensors: an honest file's tensors share nothing, so together
// they are no larger than the file.
func (t *tensor) read(r io.ReaderAt, left *int64) (safetensors.Tensor, error) {
	kind := t.storage.kind
	if kind.at == nil {
		return safetensors.Tensor{}, fmt.Errorf("its elements are a %s, want floating point", kind.name)
	}
	size := int64(t.span) * kind.size
	if *left -= max(size, int64(t.len)*kind.size); *left < 0 {
		return safetensors.Tensor{}, errors.New("the tensors are larger than the file, which no published network's are")
	}
	raw := make([]byte, size)
	if _, err := r.ReadAt(raw, t.storage.off+int64(t.offset)*kind.size); err != nil {
		return safetensors.Tensor{}, err
	}
	out := safetensors.Tensor{DType: safetensors.F32, Shape: t.shape}
	if t.contiguous() && kind.name == "FloatStorage" {
		out.Data = raw
		return out, nil
	}
	out.Data = make([]byte, 0, 4*t.len)
	t.each(func(i int) {
		out.Data = binary.LittleEndian.AppendUint32(out.Data, math.Float32bits(kind.at(raw[int64(i)*kind.size:])))
	})
	return out, nil
}

// each visits the places of the elements in order, from the first one's.
func (t *tensor) each(visit func(i int)) {
	index, at := make([]int, len(t.shape)), 0
	for range t.len {
		visit(at)
		for d := len(index) - 1; d >= 0; d-- {
			at += t.stride[d]
			if index[d]++; index[d] < t.shape[d] {
				break
			}
			at -= index[d] * t.stride[d]
			index[d] = 0
		}
	}
}

// readTensors reads tensors from a file of the given size, in the order in
// which they lie there.
func readTensors(r io.ReaderAt, size int64, tensors map[string]*tensor) (map[string]safetensors.Tensor, error) {
	names := slices.SortedFunc(maps.Keys(tensors), func(a, b string) int {
		return int(max(-1, min(1, tensors[a].storage.off-tensors[b].storage.off)))
	})
	out := make(map[string]safetensors.Tensor, len(names))
	left := size
	for _, name := range names {
		t, err := tensors[name].read(r, &left)
		if err != nil {
			return nil, fmt.Errorf("tensor %s: %w", name, err)
		}
		out[name] = t
	}
	return out, nil
}
