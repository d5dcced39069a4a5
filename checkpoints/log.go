package checkpoints

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"edm/internal/atomicfile"
)

const (
	logName = "log.jsonl"
	// maxLine bounds a line. Append writes no longer ones.
	maxLine = 1 << 20
)

// Log is a run's log.jsonl: one JSON object a line, each with an integer field
// nimg, in the order of training. Its methods may be called concurrently; two
// processes must not write one log, which Lock sees to.
type Log struct {
	mu   sync.Mutex
	f    *os.File
	path string
	size int64 // of the whole lines
}

// OpenLog opens the log of dir, or creates it. It cuts off the remains of a kill or a
// power cut at its end: a line without its newline, or lines that are no such objects.
func OpenLog(dir string) (*Log, error) {
	path := filepath.Join(dir, logName)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("checkpoints: open log: %w", err)
	}
	l := &Log{f: f, path: path}
	if err := errors.Join(l.repair(), atomicfile.SyncDir(dir)); err != nil {
		f.Close()
		return nil, fmt.Errorf("checkpoints: open log %s: %w", path, err)
	}
	return l, nil
}

// repair cuts the file after its last sound line.
func (l *Log) repair() error {
	st, err := l.f.Stat()
	if err != nil {
		return err
	}
	good := int64(0)
	err = scan(io.NewSectionReader(l.f, 0, st.Size()), func(_, end, _ int64) bool {
		good = end
		return true
	})
	if err != nil {
		return err
	}
	if good < st.Size() {
		return l.cut(good)
	}
	l.size = good
	return nil
}

// cut makes size the end of the file.
func (l *Log) cut(size int64) error {
	if err := l.f.Truncate(size); err != nil {
		return err
	}
	l.size = size
	return l.f.Sync()
}

// Append writes v, which must marshal to a JSON object with an integer field
// nimg, as one line and syncs the file. On an error, a full disk say, the log
// is as before.
func (l *Log) Append(v any) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	line, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("checkpoints: append to %s: %w", l.path, err)
	}
	if _, ok := lineNImg(line); !ok || len(line) >= maxLine {
		return fmt.Errorf("checkpoints: append to %s: want an object of less than %d bytes with an integer nimg, not %.80s",
			l.path, maxLine, line)
	}
	line = append(line, '\n')
	if _, err := l.f.WriteAt(line, l.size); err != nil {
		return fmt.Errorf("checkpoints: append: %w", errors.Join(err, l.f.Truncate(l.size)))
	}
	l.size += int64(len(line))
	if err := l.f.Sync(); err != nil {
		return fmt.Errorf("checkpoints: append: %w", err)
	}
	return nil
}

// TruncateAfter drops the first line whose nimg is above the given one and all
// that follow, so that a run resumed from an earlier state logs each tick once.
func (l *Log) TruncateAfter(nimg int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	end := l.size
	err := scan(io.NewSectionReader(l.f, 0, l.size), func(begin, _, at int64) bool {
		if at > nimg {
			end = begin
		}
		return at <= nimg
	})
	if err == nil && end < l.size {
		err = l.cut(end)
	}
	if err != nil {
		return fmt.Errorf("checkpoints: truncate %s: %w", l.path, err)
	}
	return nil
}

// Close closes the log.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.f.Close()
}

// scan calls each with the bounds and the nimg of every sound line until it
// returns false. Lines that are not sound are passed over.
func scan(r io.Reader, each func(begin, end, nimg int64) bool) error {
	b := bufio.NewReaderSize(r, maxLine)
	for begin := int64(0); ; {
		line, err := b.ReadSlice('\n')
		end := begin + int64(len(line))
		long := errors.Is(err, bufio.ErrBufferFull)
		for errors.Is(err, bufio.ErrBufferFull) {
			line, err = b.ReadSlice('\n')
			end += int64(len(line))
		}
		if errors.Is(err, io.EOF) {
			return nil // a line without its newline is not whole
		}
		if err != nil {
			return err
		}
		if nimg, ok := lineNImg(line); ok && !long && !each(begin, end, nimg) {
			return nil
		}
		begin = end
	}
}

// lineNImg returns the field nimg of a JSON object, and false for whatever is
// not an object or lacks it.
func lineNImg(line []byte) (int64, bool) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(line, &fields) != nil {
		return 0, false
	}
	var nimg *int64
	if json.Unmarshal(fields["nimg"], &nimg) != nil || nimg == nil {
		return 0, false
	}
	return *nimg, true
}
