package picture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"unicode/utf8"
)

// Text is one line of text in a PNG: a key and a value.
type Text struct {
	Key   string // 1 to 79 printable ASCII characters
	Value string // any text without NUL
}

const (
	signature     = "\x89PNG\r\n\x1a\n"
	chunkOverhead = 12 // length, type and checksum
	maxKey        = 79
)

// textChunks returns the texts as PNG chunks: tEXt for texts in Latin-1, else iTXt (PNG
// specification, 11.3.4).
func textChunks(texts []Text) ([]byte, error) {
	var out []byte
	for _, t := range texts {
		if err := t.validate(); err != nil {
			return nil, err
		}
		if latin, ok := toLatin1(t.Value); ok {
			out = appendChunk(out, "tEXt", t.Key+"\x00"+latin)
			continue
		}
		// No compression, no language tag, no translated keyword.
		out = appendChunk(out, "iTXt", t.Key+"\x00\x00\x00\x00\x00"+t.Value)
	}
	return out, nil
}

func (t Text) validate() error {
	if len(t.Key) < 1 || len(t.Key) > maxKey || strings.TrimSpace(t.Key) != t.Key || strings.Contains(t.Key, "  ") {
		return fmt.Errorf("text key %q, want 1 to %d characters with single spaces between words", t.Key, maxKey)
	}
	for _, r := range t.Key {
		if r < ' ' || r > '~' {
			return fmt.Errorf("text key %q, want printable ASCII", t.Key)
		}
	}
	if !utf8.ValidString(t.Value) || strings.ContainsRune(t.Value, 0) {
		return fmt.Errorf("text of %q is not UTF-8 or has a NUL in it", t.Key)
	}
	return nil
}

// toLatin1 returns s in ISO 8859-1; ok is false if that has not all of s.
func toLatin1(s string) (latin string, ok bool) {
	out := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 0xff || (r < ' ' && r != '\n') || (r > '~' && r < 0xa0) {
			return "", false
		}
		out = append(out, byte(r))
	}
	return string(out), true
}

// fromLatin1 is the inverse of toLatin1.
func fromLatin1(s []byte) string {
	out := make([]rune, len(s))
	for i, b := range s {
		out[i] = rune(b)
	}
	return string(out)
}

// appendChunk appends one PNG chunk: length, type, data, and the CRC-32 of type
// and data.
func appendChunk(dst []byte, kind, data string) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(data)))
	start := len(dst)
	dst = append(append(dst, kind...), data...)
	return binary.BigEndian.AppendUint32(dst, crc32.ChecksumIEEE(dst[start:]))
}

// ReadTexts returns the texts of a PNG file that Encode wrote, in order. A file
// that is no PNG, is cut short, or has a chunk with a wrong checksum is an
// error; compressed text is left out.
func ReadTexts(r io.Reader) ([]Text, error) {
	file, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("picture: read texts: %w", err)
	}
	rest, ok := bytes.CutPrefix(file, []byte(signature))
	if !ok {
		return nil, errors.New("picture: read texts: not a PNG file")
	}
	var texts []Text
	for {
		kind, data, tail, err := cutChunk(rest)
		if err != nil {
			return nil, fmt.Errorf("picture: read texts: %w", err)
		}
		if kind == "IEND" {
			return texts, nil
		}
		if t, ok := parseText(kind, data); ok {
			texts = append(texts, t)
		}
		rest = tail
	}
}

// cutChunk splits the first chunk off b.
func cutChunk(b []byte) (kind string, data, rest []byte, err error) {
	if len(b) < chunkOverhead {
		return "", nil, nil, errors.New("the PNG file is cut short")
	}
	n := uint64(binary.BigEndian.Uint32(b))
	if n > uint64(len(b)-chunkOverhead) {
		return "", nil, nil, errors.New("the PNG file is cut short")
	}
	end := 8 + int(n)
	if crc32.ChecksumIEEE(b[4:end]) != binary.BigEndian.Uint32(b[end:]) {
		return "", nil, nil, fmt.Errorf("chunk %q of the PNG file does not match its checksum", b[4:8])
	}
	return string(b[4:8]), b[8:end], b[end+4:], nil
}

func parseText(kind string, data []byte) (Text, bool) {
	key, value, ok := bytes.Cut(data, []byte{0})
	switch {
	case ok && kind == "tEXt":
		return Text{string(key), fromLatin1(value)}, true
	case ok && kind == "iTXt" && len(value) >= 2 && value[0] == 0:
		parts := bytes.SplitN(value[2:], []byte{0}, 3) // language, translated keyword, text
		if len(parts) == 3 {
			return Text{string(key), string(parts[2])}, true
		}
	}
	return Text{}, false
}
