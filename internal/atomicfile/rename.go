//go:build !windows

package atomicfile

import (
	"errors"
	"os"
	"syscall"
)

// removeOpen says that an open file can be removed here.
const removeOpen = true

func rename(from, to string) error { return os.Rename(from, to) }

// SyncDir makes renames and new files in dir last through a power cut. File
// systems that cannot sync a folder are no error: there is nothing to do.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		// A folder may allow writing but not reading.
		if errors.Is(err, os.ErrPermission) {
			return nil
		}
		return err
	}
	defer d.Close()
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}
