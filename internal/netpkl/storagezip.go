package netpkl

import (
	"archive/zip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"path"
)

// maxDirectory bounds what is read to find a zip file's members: one that holds
// a single storage has about six.
const maxDirectory = 1 << 16

// The record that ends a zip file, without the comment that torch.save does not
// write.
const (
	endSignature = "PK\x05\x06"
	endSize      = 22
	maxMembers   = 1 << 12
)

// parseZip reads the zip format: <name>/data.pkl is the saved object, and
// <name>/data/<key> the bytes of each storage, not compressed.
func parseZip(r io.ReaderAt, b *blob) (*storage, error) {
	if err := checkEnd(r, b); err != nil {
		return nil, err
	}
	limited := &allowance{r: io.NewSectionReader(r, b.off, b.size), left: maxDirectory}
	z, err := zip.NewReader(limited, b.size)
	if err != nil {
		return nil, err
	}
	limited.left = maxDirectory
	members := map[string]*zip.File{}
	var saved *zip.File
	for _, m := range z.File {
		if members[m.Name] != nil {
			return nil, fmt.Errorf("two members %q", m.Name)
		}
		members[m.Name] = m
		if path.Base(m.Name) == "data.pkl" {
			saved = m
		}
	}
	if saved == nil {
		return nil, errors.New("no member data.pkl")
	}
	dir := path.Dir(saved.Name)
	if err := zipOrder(r, b, members[path.Join(dir, "byteorder")]); err != nil {
		return nil, err
	}
	ref, err := zipMention(r, b, saved)
	if err != nil {
		return nil, fmt.Errorf("data.pkl: %w", err)
	}
	off, size, err := zipSpan(b, members[path.Join(dir, "data", ref.key)])
	if err != nil {
		return nil, fmt.Errorf("the bytes of the storage: %w", err)
	}
	return ref.place(off, size)
}

// checkEnd holds the number of members that a zip file announces to a limit:
// package zip makes room for them before it looks at any. The 64-bit form of the
// record could announce more, and a storage does not need it.
func checkEnd(r io.ReaderAt, b *blob) error {
	if b.size < endSize {
		return errors.New("zip: truncated")
	}
	var end [endSize]byte
	if _, err := r.ReadAt(end[:], b.off+b.size-endSize); err != nil {
		return err
	}
	if string(end[:4]) != endSignature {
		return errors.New("zip: it does not end with a directory")
	}
	members := binary.LittleEndian.Uint16(end[10:])
	size, off := binary.LittleEndian.Uint32(end[12:]), binary.LittleEndian.Uint32(end[16:])
	if members > maxMembers || size == math.MaxUint32 || off == math.MaxUint32 {
		return fmt.Errorf("zip: %d members or a directory beyond 4 GB, want a single storage", members)
	}
	return nil
}

// zipMention runs data.pkl.
func zipMention(r io.ReaderAt, b *blob, m *zip.File) (*mention, error) {
	off, size, err := zipSpan(b, m)
	if err != nil {
		return nil, err
	}
	sk, err := scan(newSource(r, off, size), innerLimits(), true)
	if err != nil {
		return nil, err
	}
	refs := &mentions{kinds: storageGlobals()}
	v, err := sk.load(refs.kinds, refs.resolve)
	if err != nil {
		return nil, err
	}
	return refs.only(v)
}

// zipOrder holds the byte order, which newer writers state, to the one read.
func zipOrder(r io.ReaderAt, b *blob, m *zip.File) error {
	if m == nil {
		return nil
	}
	off, size, err := zipSpan(b, m)
	if err != nil {
		return fmt.Errorf("byteorder: %w", err)
	}
	text, err := newSource(r, off, size).next(int(min(size, 16)))
	if err == nil && string(text) != "little" {
		err = errors.New("written on a big-endian machine")
	}
	return err
}

// zipSpan returns where in the file a member's bytes lie.
func zipSpan(b *blob, m *zip.File) (off, size int64, err error) {
	switch {
	case m == nil:
		return 0, 0, errors.New("no such member")
	case m.Method != zip.Store || m.CompressedSize64 != m.UncompressedSize64:
		return 0, 0, errors.New("compressed")
	}
	if off, err = m.DataOffset(); err != nil {
		return 0, 0, err
	}
	if off < 0 || off > b.size || m.UncompressedSize64 > uint64(b.size-off) {
		return 0, 0, errors.New("truncated")
	}
	return b.off + off, int64(m.UncompressedSize64), nil
}

// allowance is a reader that fails after so many bytes.
type allowance struct {
	r    io.ReaderAt
	left int
}

// ReadAt reads within the allowance.
func (a *allowance) ReadAt(p []byte, off int64) (int, error) {
	if a.left -= len(p); a.left < 0 {
		return 0, errors.New("its directory is too long")
	}
	return a.r.ReadAt(p, off)
}
