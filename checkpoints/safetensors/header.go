package safetensors

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"
)

// maxHeader bounds the JSON header; the official reader has the same limit.
const maxHeader = 100 << 20

// metadataKey is the one header field that is not a tensor.
const metadataKey = "__metadata__"

// Header is the first part of a file: metadata, and shapes and places of tensors.
type Header struct {
	Metadata map[string]string
	Tensors  map[string]Span
}

// Span describes one tensor: its element type, its shape, and where its bytes
// lie, [Begin, End) counted from the start of the data section.
type Span struct {
	DType      DType
	Shape      []int
	Begin, End int64
}

// parseHeader reads the JSON header of a file whose data section has body
// bytes. It is strict: field names count letter by letter, a name occurs once,
// and the tensors cover the data section exactly, without gap or overlap.
func parseHeader(b []byte, body int64) (*Header, error) {
	if len(b) == 0 || b[0] != '{' || !utf8.Valid(b) {
		return nil, errors.New("header: not a JSON object in UTF-8")
	}
	raw, err := object(b)
	if err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	h := &Header{Metadata: map[string]string{}, Tensors: make(map[string]Span, len(raw))}
	spans := make([]Span, 0, len(raw))
	for name, v := range raw {
		if name == metadataKey {
			if h.Metadata, err = metadata(v); err != nil {
				return nil, fmt.Errorf("metadata: %w", err)
			}
			continue
		}
		s, err := span(v, body)
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		h.Tensors[name] = s
		spans = append(spans, s)
	}
	if err := covers(spans, body); err != nil {
		return nil, err
	}
	return h, nil
}

// object splits a JSON object into its fields. Unlike json.Unmarshal into a
// map or struct it refuses a repeated name, and names match exactly.
func object(b []byte) (map[string]json.RawMessage, error) {
	if !json.Valid(b) {
		return nil, errors.New("invalid JSON")
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("want a JSON object")
	}
	fields := map[string]json.RawMessage{}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, err
		}
		name, _ := t.(string)
		if _, ok := fields[name]; ok {
			return nil, fmt.Errorf("%q occurs twice", name)
		}
		var v json.RawMessage
		if err := dec.Decode(&v); err != nil {
			return nil, err
		}
		fields[name] = v
	}
	return fields, nil
}

func metadata(b []byte) (map[string]string, error) {
	raw, err := object(b)
	if err != nil {
		return nil, err
	}
	m := make(map[string]string, len(raw))
	for k, v := range raw {
		var s *string
		if err := json.Unmarshal(v, &s); err != nil || s == nil {
			return nil, fmt.Errorf("%q: want a string", k)
		}
		m[k] = *s
	}
	return m, nil
}

func span(b []byte, body int64) (Span, error) {
	raw, err := object(b)
	if err != nil {
		return Span{}, err
	}
	var s Span
	if err := json.Unmarshal(raw["dtype"], &s.DType); err != nil {
		return Span{}, fmt.Errorf("dtype: %w", err)
	}
	if s.Shape, err = integers[int](raw["shape"]); err != nil {
		return Span{}, fmt.Errorf("shape: %w", err)
	}
	at, err := integers[int64](raw["data_offsets"])
	if err != nil || len(at) != 2 || len(raw) != 3 {
		return Span{}, errors.New("want dtype, shape and two data_offsets, nothing else")
	}
	s.Begin, s.End = at[0], at[1]
	return s, s.check(body)
}

func (s Span) check(body int64) error {
	if _, ok := sizes[s.DType]; !ok {
		return fmt.Errorf("unknown element type %q", s.DType)
	}
	n, ok := byteSize(s.DType, s.Shape)
	if !ok {
		return fmt.Errorf("impossible shape %v", s.Shape)
	}
	if s.Begin < 0 || s.End < s.Begin || s.End > body {
		return fmt.Errorf("truncated: data at %d..%d of %d bytes", s.Begin, s.End, body)
	}
	if s.End-s.Begin != n {
		return fmt.Errorf("%d bytes of data for shape %v of %s", s.End-s.Begin, s.Shape, s.DType)
	}
	return nil
}

// integers decodes a JSON array of integers, in which null counts as none.
func integers[T int | int64](b []byte) ([]T, error) {
	var raw []*T
	if err := json.Unmarshal(b, &raw); err != nil {
		return nil, err
	}
	if raw == nil {
		return nil, errors.New("want a list of integers")
	}
	out := make([]T, len(raw))
	for i, p := range raw {
		if p == nil {
			return nil, errors.New("want a list of integers")
		}
		out[i] = *p
	}
	return out, nil
}

// covers reports whether spans tile [0, n).
func covers(spans []Span, n int64) error {
	slices.SortFunc(spans, func(a, b Span) int {
		if c := a.Begin - b.Begin; c != 0 {
			return int(max(-1, min(1, c)))
		}
		return int(max(-1, min(1, a.End-b.End)))
	})
	at := int64(0)
	for _, s := range spans {
		if s.Begin != at {
			return fmt.Errorf("tensors overlap or leave a gap at byte %d", at)
		}
		at = s.End
	}
	if at != n {
		return fmt.Errorf("%d bytes after the last tensor", n-at)
	}
	return nil
}
