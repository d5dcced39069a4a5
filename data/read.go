package data

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"slices"
)

// No file is believed: every size is checked against one of these, or against
// the size of the file, before memory is set aside for it.
const (
	maxPackedBytes = 4 << 30   // pixels of IDX and CIFAR-10 files together
	maxTarBytes    = 4 << 30   // an unpacked tar archive
	maxImageBytes  = 64 << 20  // one PNG or JPEG file
	maxLabelsBytes = 256 << 20 // dataset.json
	maxPixels      = 1 << 26   // one PNG or JPEG image

	// maxDeflate bounds how many times deflate can shrink its input.
	maxDeflate = 1032
)

var errTooLarge = errors.New("unpacks to more data than its kind of file ever holds")

// stream is a file, unpacked if it is gzip. It can yield at most max bytes.
type stream struct {
	io.Reader
	io.Closer
	max int64
}

// openStream opens a plain or gzip file; which one, its content tells.
func openStream(path string) (*stream, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, withoutPath(err)
	}
	return newStream(f)
}

// newStream takes f over.
func newStream(f fs.File) (*stream, error) {
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	if err == nil {
		s := &stream{Closer: f}
		if s.Reader, s.max, err = unpack(f, info.Size()); err == nil {
			return s, nil
		}
	}
	return nil, errors.Join(withoutPath(err), f.Close())
}

// unpack returns a reader of the content of r, which is size bytes long, and
// the most bytes that it can yield.
func unpack(r io.Reader, size int64) (io.Reader, int64, error) {
	br := bufio.NewReaderSize(r, 1<<16)
	magic, err := br.Peek(2)
	if err != nil && err != io.EOF {
		return nil, 0, err
	}
	if string(magic) != "\x1f\x8b" {
		return br, size, nil
	}
	z, err := gzip.NewReader(br)
	if err != nil {
		return nil, 0, fmt.Errorf("damaged gzip header: %w", whole(err))
	}
	if size > math.MaxInt64/maxDeflate {
		return z, math.MaxInt64, nil
	}
	return z, size * maxDeflate, nil
}

// readExactly reads n bytes. Memory grows with the bytes that arrive, so that a false
// n costs nothing.
func readExactly(r io.Reader, n int64) ([]byte, error) {
	buf := make([]byte, 0, min(n, 1<<20))
	for int64(len(buf)) < n {
		if len(buf) == cap(buf) {
			buf = slices.Grow(buf, int(min(n-int64(len(buf)), int64(len(buf)))))
		}
		m, err := io.ReadFull(r, buf[len(buf):min(int64(cap(buf)), n)])
		buf = buf[:len(buf)+m]
		if err != nil {
			return nil, fmt.Errorf("truncated: data ends after %d of %d bytes: %w", len(buf), n, whole(err))
		}
	}
	return buf, nil
}

// expectEnd returns an error for data behind the end. On gzip and zip it also checks
// the checksum.
func expectEnd(r io.Reader) error {
	var b [1]byte
	for {
		n, err := r.Read(b[:])
		switch {
		case n > 0:
			return errors.New("holds more data than its header declares")
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}

// capped fails once more than left bytes were read.
type capped struct {
	r    io.Reader
	left int64
}

func (c *capped) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if c.left -= int64(n); c.left < 0 {
		return 0, errTooLarge
	}
	return n, err
}

// whole turns the end of a file in the middle of a read into the error of a truncated file.
func whole(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// withoutPath strips the path from an error of package os, for callers that
// name the file themselves.
func withoutPath(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return errors.New("no such file or folder")
	}
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
