package netpkl

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// windowSize is the size of a source's reads, and the most that next returns.
const windowSize = 4096

// source reads a part of a file in order. It never reads skipped bytes.
type source struct {
	r        io.ReaderAt
	off, end int64 // place of the next byte; end of the part
	window   []byte
	buf      []byte
}

func newSource(r io.ReaderAt, off, size int64) *source {
	return &source{r: r, off: off, end: off + size}
}

// next returns the next n bytes; they are valid until the next call.
func (s *source) next(n int) ([]byte, error) {
	if int64(n) > s.end-s.off {
		return nil, s.truncated(uint64(n))
	}
	if len(s.window) < n {
		if err := s.fill(); err != nil {
			return nil, err
		}
	}
	b := s.window[:n]
	s.window, s.off = s.window[n:], s.off+int64(n)
	return b, nil
}

// fill reads a whole window from off.
func (s *source) fill() error {
	if s.buf == nil {
		s.buf = make([]byte, windowSize)
	}
	n := min(windowSize, s.end-s.off)
	if m, err := s.r.ReadAt(s.buf[:n], s.off); int64(m) < n {
		if errors.Is(err, io.EOF) {
			return s.truncated(uint64(n))
		}
		return err
	}
	s.window = s.buf[:n]
	return nil
}

// skip passes over n bytes and returns where they start.
func (s *source) skip(n uint64) (int64, error) {
	if n > uint64(s.end-s.off) {
		return 0, s.truncated(n)
	}
	at := s.off
	s.off += int64(n)
	s.window = s.window[min(n, uint64(len(s.window))):]
	return at, nil
}

// line returns the next line without its end.
func (s *source) line() ([]byte, error) {
	n := int(min(windowSize, s.end-s.off))
	if len(s.window) < n {
		if err := s.fill(); err != nil {
			return nil, err
		}
	}
	i := bytes.IndexByte(s.window, '\n')
	if i < 0 {
		return nil, fmt.Errorf("a line without end at byte %d", s.off)
	}
	b, err := s.next(i + 1)
	return b[:max(0, len(b)-1)], err
}

// truncated says that n bytes at off are not all there.
func (s *source) truncated(n uint64) error {
	return fmt.Errorf("truncated: %d bytes at byte %d, but only %d are left", n, s.off, s.end-s.off)
}
