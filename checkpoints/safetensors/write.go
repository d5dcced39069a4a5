package safetensors

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Write writes f to w. Tensors are ordered by element size, widest first, then
// by name, so equal contents give equal bytes and every tensor is aligned.
// Tensor data goes to w as it lies, without a copy. A tensor whose data does
// not fit its shape and a name that is not UTF-8 are errors, found before the
// first byte is written.
func Write(w io.Writer, f *File) error {
	names := slices.SortedFunc(maps.Keys(f.Tensors), func(a, b string) int {
		if c := sizes[f.Tensors[b].DType] - sizes[f.Tensors[a].DType]; c != 0 {
			return c
		}
		return strings.Compare(a, b)
	})
	if err := f.check(names); err != nil {
		return err
	}
	header, err := f.header(names)
	if err != nil {
		return err
	}
	if _, err := w.Write(header); err != nil {
		return err
	}
	for _, name := range names {
		if _, err := w.Write(f.Tensors[name].Data); err != nil {
			return err
		}
	}
	return nil
}

// check refuses contents that the format cannot hold or would silently change.
func (f *File) check(names []string) error {
	for _, name := range names {
		t := f.Tensors[name]
		if n, ok := byteSize(t.DType, t.Shape); !ok || n != int64(len(t.Data)) {
			return fmt.Errorf("safetensors: tensor %q: %d bytes for shape %v of %q", name, len(t.Data), t.Shape, t.DType)
		}
		if name == metadataKey || !utf8.ValidString(name) {
			return fmt.Errorf("safetensors: %q cannot name a tensor", name)
		}
	}
	for k, v := range f.Metadata {
		if !utf8.ValidString(k) || !utf8.ValidString(v) {
			return fmt.Errorf("safetensors: metadata %q: want UTF-8", k)
		}
	}
	return nil
}

// spanJSON is a tensor's field of the header.
type spanJSON struct {
	DType   DType    `json:"dtype"`
	Shape   []int    `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"`
}

// header returns the length prefix and the JSON, padded with spaces to a
// multiple of 8 bytes as the format asks.
func (f *File) header(names []string) ([]byte, error) {
	var b bytes.Buffer
	b.Write(make([]byte, 8))
	b.WriteByte('{')
	sep := ""
	field := func(name string, v any) error {
		b.WriteString(sep)
		sep = ","
		if err := appendJSON(&b, name); err != nil {
			return err
		}
		b.WriteByte(':')
		return appendJSON(&b, v)
	}
	if len(f.Metadata) > 0 {
		if err := field(metadataKey, f.Metadata); err != nil {
			return nil, err
		}
	}
	at := int64(0)
	for _, name := range names {
		t := f.Tensors[name]
		shape := t.Shape
		if shape == nil {
			shape = []int{}
		}
		end := at + int64(len(t.Data))
		if err := field(name, spanJSON{t.DType, shape, [2]int64{at, end}}); err != nil {
			return nil, err
		}
		at = end
	}
	b.WriteByte('}')
	for b.Len()%8 != 0 {
		b.WriteByte(' ')
	}
	if b.Len()-8 > maxHeader {
		return nil, fmt.Errorf("safetensors: a header of %d bytes, the format's limit is %d", b.Len()-8, maxHeader)
	}
	out := b.Bytes()
	binary.LittleEndian.PutUint64(out, uint64(len(out)-8))
	return out, nil
}

// appendJSON writes v without the escapes meant for HTML: their hex digits
// have two spellings, so a flipped bit could go unseen.
func appendJSON(b *bytes.Buffer, v any) error {
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	b.Truncate(b.Len() - 1) // the newline that Encode ends with
	return nil
}
