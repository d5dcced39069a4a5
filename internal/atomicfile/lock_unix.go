//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package atomicfile

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// TryLock takes the exclusive lock of the open file f without waiting and
// reports whether it got it; false means that another opening of the file,
// in this process or another, holds it. The lock goes with f: closing it, or
// the end of the process however it comes, lets go. On a file system without
// locks the error is errors.ErrUnsupported.
func TryLock(f *os.File) (bool, error) {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, unix.EWOULDBLOCK):
			return false, nil
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.ENOLCK):
			return false, errors.ErrUnsupported
		}
		return false, &os.PathError{Op: "lock", Path: f.Name(), Err: err}
	}
}
