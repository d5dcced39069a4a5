package checkpoints

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"maps"
	"slices"

	"edm/checkpoints/safetensors"
)

// array is a tensor to be hashed, wherever its bytes lie.
type array struct {
	dtype safetensors.DType
	shape []int
	size  int64
	data  io.Reader
}

// hashFile returns the content hash of a file in memory.
func hashFile(f *safetensors.File) (string, error) {
	return contentHash(f.Metadata, slices.Sorted(maps.Keys(f.Tensors)), func(name string) array {
		t := f.Tensors[name]
		return array{t.DType, t.Shape, int64(len(t.Data)), bytes.NewReader(t.Data)}
	})
}

// hashReader returns the content hash of a file on disk, read through a small
// buffer.
func hashReader(r *safetensors.Reader) (string, error) {
	return contentHash(r.Metadata, slices.Sorted(maps.Keys(r.Tensors)), func(name string) array {
		t := r.Tensors[name]
		return array{t.DType, t.Shape, t.End - t.Begin, r.Section(name)}
	})
}

// contentHash returns the hexadecimal SHA-256 of everything that has a
// meaning: the number of metadata fields, then each field's key and value in
// order of the keys, then the number of tensors, then each one's name, type,
// number of dimensions, dimensions and data in order of the names. Numbers are
// 8 bytes, little-endian; texts and data are preceded by their length in
// bytes. The field of the hash itself is left out and not counted. Neither the
// order in the file nor the layout of its header matters.
func contentHash(meta map[string]string, names []string, at func(name string) array) (string, error) {
	d := digest{sha256.New()}
	keys := slices.DeleteFunc(slices.Sorted(maps.Keys(meta)), func(k string) bool { return k == hashKey })
	d.number(int64(len(keys)))
	for _, k := range keys {
		d.text(k)
		d.text(meta[k])
	}
	d.number(int64(len(names)))
	for _, name := range names {
		a := at(name)
		d.text(name)
		d.text(string(a.dtype))
		d.number(int64(len(a.shape)))
		for _, n := range a.shape {
			d.number(int64(n))
		}
		if err := d.data(a.data, a.size); err != nil {
			return "", fmt.Errorf("tensor %q: %w", name, err)
		}
	}
	return hex.EncodeToString(d.h.Sum(nil)), nil
}

type digest struct{ h hash.Hash }

func (d digest) number(n int64) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(n))
	d.h.Write(b[:])
}

func (d digest) text(s string) {
	d.number(int64(len(s)))
	io.WriteString(d.h, s)
}

// data hashes exactly size bytes of r. A bytes.Reader hands over its memory as
// it is; a file goes through a small buffer.
func (d digest) data(r io.Reader, size int64) error {
	d.number(size)
	n, err := io.Copy(d.h, r)
	if err == nil && n != size {
		err = fmt.Errorf("truncated: %d of %d bytes", n, size)
	}
	return err
}
