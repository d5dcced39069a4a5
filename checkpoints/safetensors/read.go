package safetensors

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
)

// ReadFile reads and checks the file at path. It holds the data section in
// memory once; the tensors share it. A file that is not sound is a
// *FormatError.
func ReadFile(path string) (*File, error) {
	r, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	f, err := r.ReadAll()
	if err != nil {
		return nil, &FormatError{path, err}
	}
	return f, nil
}

// FormatError says that the file at Path was opened but is no sound safetensors file.
// A file that cannot be opened is another error.
type FormatError struct {
	Path string
	Err  error
}

func (e *FormatError) Error() string { return "safetensors: " + e.Path + ": " + e.Err.Error() }

// Unwrap returns the fault without the path.
func (e *FormatError) Unwrap() error { return e.Err }

// Parse checks data as a whole safetensors file: header bounds, element types,
// shapes, and that the tensors cover the data section exactly, without gap or
// overlap. The returned tensors share data.
func Parse(data []byte) (*File, error) {
	if len(data) < 8 {
		return nil, errors.New("truncated: no room for the header length")
	}
	n, err := headerSize(data[:8], int64(len(data)))
	if err != nil {
		return nil, err
	}
	h, err := parseHeader(data[8:8+n], int64(len(data))-8-n)
	if err != nil {
		return nil, err
	}
	return h.file(data[8+n:]), nil
}

// Reader is an open file whose header was read and checked and whose data was
// not read yet. Sections may be read concurrently.
type Reader struct {
	Header
	f    *os.File
	base int64 // where the data section starts
	size int64 // how long it is
}

// Open opens the file at path and reads its header. The caller closes it. A
// file that is not sound is a *FormatError.
func Open(path string) (*Reader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	r, err := newReader(f)
	if err != nil {
		f.Close()
		return nil, &FormatError{path, err}
	}
	return r, nil
}

func newReader(f *os.File) (*Reader, error) {
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	var prefix [8]byte
	if _, err := io.ReadFull(f, prefix[:]); err != nil {
		return nil, truncated("no room for the header length", err)
	}
	n, err := headerSize(prefix[:], st.Size())
	if err != nil {
		return nil, err
	}
	header := make([]byte, n)
	if _, err := io.ReadFull(f, header); err != nil {
		return nil, truncated("the header ends early", err)
	}
	body := st.Size() - 8 - n
	h, err := parseHeader(header, body)
	if err != nil {
		return nil, err
	}
	return &Reader{Header: *h, f: f, base: 8 + n, size: body}, nil
}

// Close closes the file.
func (r *Reader) Close() error { return r.f.Close() }

// Section returns a reader over the bytes of the named tensor, which is one of
// r.Tensors; of any other name it is empty.
func (r *Reader) Section(name string) *io.SectionReader {
	s := r.Tensors[name]
	return io.NewSectionReader(r.f, r.base+s.Begin, s.End-s.Begin)
}

// ReadAll reads the data section into one buffer, which the tensors share.
func (r *Reader) ReadAll() (*File, error) {
	if r.size > math.MaxInt {
		return nil, fmt.Errorf("%d bytes do not fit into memory", r.size)
	}
	body := make([]byte, r.size)
	if _, err := io.ReadFull(io.NewSectionReader(r.f, r.base, r.size), body); err != nil {
		return nil, truncated("the data ends early", err)
	}
	return r.file(body), nil
}

// headerSize decodes the length prefix and holds it against the file's size.
func headerSize(prefix []byte, file int64) (int64, error) {
	n := binary.LittleEndian.Uint64(prefix)
	if n > maxHeader || int64(n) > file-8 {
		return 0, fmt.Errorf("truncated or not safetensors: header of %d bytes in a file of %d", n, file)
	}
	return int64(n), nil
}

// truncated names the missing part; it keeps an error other than the file's end.
func truncated(what string, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("truncated: " + what)
	}
	return err
}

// file cuts body, which parseHeader checked the header against, into tensors.
func (h *Header) file(body []byte) *File {
	f := &File{Metadata: h.Metadata, Tensors: make(map[string]Tensor, len(h.Tensors))}
	for name, s := range h.Tensors {
		f.Tensors[name] = Tensor{s.DType, s.Shape, body[s.Begin:s.End:s.End]}
	}
	return f
}
