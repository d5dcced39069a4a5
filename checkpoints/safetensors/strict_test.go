package safetensors

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func withHeader(header string, body ...byte) []byte {
	data := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(data, header...), body...)
}

// Go's JSON package is lenient where the format is not; each of these would
// otherwise read as a sound file with a meaning of its own.
func TestStrictHeader(t *testing.T) {
	good := `{"__metadata__":{"k":"v"},"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}}`
	if _, err := Parse(withHeader(good, 1, 2, 3)); err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string][2]string{
		"field in capitals": {`"dtype"`, `"Dtype"`},
		"repeated tensor":   {`"a":`, `"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"a":`},
		"repeated field":    {`"dtype"`, `"dtype":"U8","dtype"`},
		"repeated metadata": {`"k":"v"`, `"k":"v","k":"w"`},
		"metadata number":   {`"v"`, `1`},
		"metadata null":     {`"v"`, `null`},
		"shape null":        {`[3]`, `null`},
		"dimension null":    {`[3]`, `[3,null]`},
		"fraction":          {`[3]`, `[3.0]`},
		"three offsets":     {`[0,3]`, `[0,3,3]`},
		"one offset":        {`[0,3]`, `[3]`},
		"no shape":          {`"shape":[3],`, ``},
		"text after object": {`]}}`, `]}} x`},
		"leading space":     {`{"__`, ` {"__`},
		"not UTF-8":         {`"k"`, "\"\xff\""},
	} {
		header := strings.Replace(good, edit[0], edit[1], 1)
		if header == good {
			t.Fatalf("%s: the edit changes nothing", name)
		}
		if _, err := Parse(withHeader(header, 1, 2, 3)); err == nil {
			t.Errorf("%s: accepted %s", name, header)
		}
	}
}

// No flip of one bit in the header may leave a file that reads as the same
// contents: the checksum above this package covers the contents only.
func TestHeaderBitFlips(t *testing.T) {
	f := sample()
	f.Metadata["html"] = "<a&b>"
	data := encode(t, f)
	n := 8 + int(binary.LittleEndian.Uint64(data))
	for i := range n {
		for bit := range 8 {
			flipped := bytes.Clone(data)
			flipped[i] ^= 1 << bit
			got, err := Parse(flipped)
			if err == nil && cmp.Equal(got.Metadata, f.Metadata) && cmp.Equal(got.Tensors, mustParse(t, data).Tensors) {
				t.Fatalf("bit %d of byte %d (%q) makes no difference", bit, i, data[i])
			}
		}
	}
}

func mustParse(t *testing.T, data []byte) *File {
	t.Helper()
	f, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestWriteRefuses(t *testing.T) {
	one := FromFloat32s([]float32{1}, 1)
	for name, f := range map[string]*File{
		"short data":        {Tensors: map[string]Tensor{"a": {F32, []int{2}, make([]byte, 4)}}},
		"unknown type":      {Tensors: map[string]Tensor{"a": {"Q9", []int{1}, make([]byte, 4)}}},
		"negative shape":    {Tensors: map[string]Tensor{"a": {U8, []int{-1, -1}, make([]byte, 1)}}},
		"reserved name":     {Tensors: map[string]Tensor{"__metadata__": one}},
		"name not UTF-8":    {Tensors: map[string]Tensor{"\xff": one}},
		"metadata no UTF-8": {Metadata: map[string]string{"a": "\xff"}},
	} {
		var b bytes.Buffer
		if err := Write(&b, f); err == nil {
			t.Errorf("%s: written", name)
		}
		if b.Len() != 0 {
			t.Errorf("%s: %d bytes were written before the error", name, b.Len())
		}
	}
}

func TestReaderMatchesParse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	data := encode(t, sample())
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	want := mustParse(t, data)
	got, err := ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	r, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for name, w := range want.Tensors {
		var b bytes.Buffer
		if _, err := b.ReadFrom(r.Section(name)); err != nil || !bytes.Equal(b.Bytes(), w.Data) {
			t.Errorf("section %s: %v, %v; want %v", name, b.Bytes(), err, w.Data)
		}
	}
	for n := range data {
		if err := os.WriteFile(path, data[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadFile(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Fatalf("cut to %d bytes: error %v, want one that names the file", n, err)
		}
	}
	if _, err := ReadFile(t.TempDir()); err == nil {
		t.Error("a folder was read as a file")
	}
}

func TestViews(t *testing.T) {
	f32 := []float32{1, float32(math.Inf(-1)), math.SmallestNonzeroFloat32}
	f64 := []float64{math.Pi, math.Copysign(0, -1)}
	i64 := []int64{-2, math.MaxInt64}
	for name, c := range map[string][2]Tensor{
		"float32": {ViewFloat32s(f32, 3), FromFloat32s(f32, 3)},
		"float64": {ViewFloat64s(f64, 2), FromFloat64s(f64, 2)},
		"int64":   {ViewInt64s(i64, 2), FromInt64s(i64, 2)},
		"nil":     {ViewFloat32s(nil, 0), FromFloat32s(nil, 0)},
	} {
		if !bytes.Equal(c[0].Data, c[1].Data) || c[0].DType != c[1].DType {
			t.Errorf("%s: view %v, copy %v", name, c[0], c[1])
		}
	}
	v := ViewFloat32s(f32, 3)
	f32[0] = 7
	if got, err := v.Float32s(); err != nil || (got[0] == 7) != nativeLittle() {
		t.Errorf("the view reads %v, %v after a write of 7", got, err)
	}
	if !bytes.Equal(view(f32, false), view(f32, true)) {
		t.Error("the portable way gives other bytes")
	}
	if got := testing.AllocsPerRun(10, func() { v.Data = view(f32, true) }); got != 0 {
		t.Errorf("a view allocates %v times", got)
	}
}

func TestCopyFloats(t *testing.T) {
	want32, want64 := []float32{1.5, -2}, []float64{1.5, -2}
	for _, x := range []Tensor{FromFloat32s(want32, 2), FromFloat64s(want64, 2)} {
		got32, got64 := make([]float32, 2), make([]float64, 2)
		if err := x.CopyFloat32s(got32); err != nil || !cmp.Equal(got32, want32) {
			t.Errorf("%s to float32: %v, %v", x.DType, got32, err)
		}
		if err := x.CopyFloat64s(got64); err != nil || !cmp.Equal(got64, want64) {
			t.Errorf("%s to float64: %v, %v", x.DType, got64, err)
		}
		if err := x.CopyFloat32s(make([]float32, 3)); err == nil {
			t.Errorf("%s: a target of another length was accepted", x.DType)
		}
	}
	if err := (Tensor{F32, []int{2}, make([]byte, 4)}).CopyFloat32s(make([]float32, 2)); err == nil {
		t.Error("a tensor with too little data was read")
	}
	if err := FromInt64s([]int64{1}, 1).CopyFloat32s(make([]float32, 1)); err == nil {
		t.Error("integers were read as floats")
	}
}
