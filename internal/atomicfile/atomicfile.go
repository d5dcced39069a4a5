// Package atomicfile replaces files so that a reader, a killed process or a
// power cut never sees half of one: whoever opens the path finds the old bytes
// or the new ones. It also holds the lock that tells a live writer from a dead
// one, since the system drops it whichever way a process ends.
package atomicfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

// bufferSize gathers small writes; writes above it go straight to the file.
const bufferSize = 1 << 20

// temporary matches the names that Write gives to unfinished files.
var temporary = regexp.MustCompile(`^\.edm-[0-9a-f]{16}\.tmp$`)

// Write replaces the file at path by the output of f, with mode perm (before the umask). The
// bytes go to a temporary file in the same folder, which is synced, closed and
// renamed over path; then the folder is synced. On any error, of f or of the
// system, and when f panics, the temporary is removed and the file that was at
// path is as it was. The one exception is an error of the last step, which
// says that the new file is in place but might not outlive a power cut. A
// symbolic link at path is replaced, not followed.
func Write(path string, perm fs.FileMode, f func(io.Writer) error) error {
	dir := filepath.Dir(path)
	tmp, err := create(dir, perm)
	if err != nil {
		return fmt.Errorf("atomicfile: write %s: %w", path, err)
	}
	done := false
	defer func() {
		if !done {
			tmp.Close() // a second close is harmless
			os.Remove(tmp.Name())
		}
	}()
	if err := fill(tmp, f); err != nil {
		return fmt.Errorf("atomicfile: write %s: %w", path, bare(err, tmp.Name()))
	}
	if err := rename(tmp.Name(), path); err != nil {
		return fmt.Errorf("atomicfile: write %s: put in place: %w", path, bareLink(err))
	}
	done = true
	if err := SyncDir(dir); err != nil {
		return fmt.Errorf("atomicfile: write %s: written, but sync folder: %w", path, err)
	}
	return nil
}

// WriteFile is Write of data.
func WriteFile(path string, data []byte, perm fs.FileMode) error {
	return Write(path, perm, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// create makes a new, locked temporary in dir. The lock is what CleanStale
// tells live writers by, so a temporary that was swept away between its
// creation and its lock is made again.
func create(dir string, perm fs.FileMode) (*os.File, error) {
	const attempts = 100
	for range attempts {
		name := filepath.Join(dir, fmt.Sprintf(".edm-%016x.tmp", rand.Uint64()))
		tmp, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return nil, bare(err, name)
		}
		// Without locks CleanStale goes by age, so a failure is no loss.
		if ok, err := TryLock(tmp); (ok || err != nil) && linked(tmp, name) {
			return tmp, nil
		}
		tmp.Close()
		os.Remove(name)
	}
	return nil, fmt.Errorf("no temporary file could be made in %d attempts", attempts)
}

// linked reports whether name still is the open file f.
func linked(f *os.File, name string) bool {
	a, err := f.Stat()
	if err != nil {
		return false
	}
	b, err := os.Lstat(name)
	return err == nil && os.SameFile(a, b)
}

// fill writes the output of f, syncs and closes.
func fill(tmp *os.File, f func(io.Writer) error) error {
	buf := bufio.NewWriterSize(tmp, bufferSize)
	if err := f(buf); err != nil {
		return err
	}
	if err := buf.Flush(); err != nil {
		return err
	}
	if err := tmp.Sync(); err != nil {
		return err
	}
	return tmp.Close()
}

// bare drops the temporary's name, of which the user knows nothing, from a
// system error; other errors pass.
func bare(err error, tmp string) error {
	var pe *fs.PathError
	if errors.As(err, &pe) && pe.Path == tmp {
		return pe.Err
	}
	return err
}

func bareLink(err error) error {
	var le *os.LinkError
	if errors.As(err, &le) {
		return le.Err
	}
	return err
}

// staleAge is when a temporary counts as left behind on a file system without
// locks, where nothing else tells: no write should take as long.
const staleAge = time.Hour

// CleanStale removes the temporaries in dir that killed processes left behind.
// Those that a live process is still writing stay. It tries them all and
// returns every failure.
func CleanStale(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("atomicfile: clean %s: %w", dir, err)
	}
	var errs []error
	for _, e := range entries {
		if !temporary.MatchString(e.Name()) || !e.Type().IsRegular() {
			continue
		}
		path := filepath.Join(dir, e.Name())
		if err := removeStale(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("atomicfile: clean: %w", err))
		}
	}
	return errors.Join(errs...)
}

func removeStale(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	ok, err := TryLock(f)
	if err != nil {
		st, statErr := f.Stat()
		ok = statErr == nil && time.Since(st.ModTime()) > staleAge
	}
	if !ok {
		return nil
	}
	if removeOpen {
		return os.Remove(path) // while the lock is held, so that none can take it
	}
	f.Close()
	return os.Remove(path)
}
