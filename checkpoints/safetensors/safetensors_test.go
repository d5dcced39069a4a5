package safetensors

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func sample() *File {
	return &File{
		Metadata: map[string]string{"format": "x", "quote": `"é`},
		Tensors: map[string]Tensor{
			"a":      FromFloat32s([]float32{1, -2, 3, 4, 5, 6}, 2, 3),
			"b":      FromFloat64s([]float64{0.1}, 1),
			"c":      FromInt64s([]int64{-7}),
			"empty":  FromFloat32s(nil, 0),
			"w.bias": {U8, []int{3}, []byte{1, 2, 3}},
		},
	}
}

func encode(t *testing.T, f *File) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, f); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRoundTrip(t *testing.T) {
	f := sample()
	data := encode(t, f)
	got, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range f.Tensors {
		g := got.Tensors[name]
		if g.DType != want.DType || g.Len() != want.Len() || !bytes.Equal(g.Data, want.Data) {
			t.Errorf("%s: got %v, want %v", name, g, want)
		}
	}
	if d := cmp.Diff(f.Metadata, got.Metadata); d != "" {
		t.Error(d)
	}
	if !bytes.Equal(encode(t, got), data) {
		t.Error("writing what was read gives other bytes")
	}
}

// Every truncation must be an error, never a panic or a short tensor.
func TestTruncated(t *testing.T) {
	data := encode(t, sample())
	for n := range data {
		if _, err := Parse(data[:n]); err == nil {
			t.Fatalf("a file cut to %d of %d bytes was accepted", n, len(data))
		}
	}
	if _, err := Parse(append(bytes.Clone(data), 0)); err == nil {
		t.Error("trailing bytes were accepted")
	}
}

func TestHostileHeaders(t *testing.T) {
	for name, header := range map[string]string{
		"overlap":        `{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`,
		"gap":            `{"a":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`,
		"negative shape": `{"a":{"dtype":"U8","shape":[-3],"data_offsets":[0,3]}}`,
		"overflow":       `{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,3]}}`,
		"type":           `{"a":{"dtype":"Q9","shape":[3],"data_offsets":[0,3]}}`,
		"reversed":       `{"a":{"dtype":"U8","shape":[3],"data_offsets":[3,0]}}`,
		"not an object":  `[1,2]`,
		"unknown field":  `{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3],"exec":1}}`,
	} {
		data := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
		data = append(append(data, header...), 1, 2, 3)
		if _, err := Parse(data); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	var b bytes.Buffer
	if err := Write(&b, sample()); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Parse(data)
		if err != nil {
			return
		}
		for name, tensor := range file.Tensors {
			if tensor.Len()*sizes[tensor.DType] != len(tensor.Data) {
				t.Errorf("%q: %d elements in %d bytes", name, tensor.Len(), len(tensor.Data))
			}
		}
	})
}
