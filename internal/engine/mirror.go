package engine

import (
	"errors"
	"fmt"
)

// Memory is implemented by a Backend whose kernels have their own memory, such as a
// GPU's. A host slice may have a copy there, its mirror. Addresses identify its parts,
// so views of a mirrored slice are mirrored too. Programs and the Updater then read
// and write the mirror, and the host's slice has the contents of the last download.
type Memory interface {
	// Mirror gives a slice a counterpart with the same contents. The slice must
	// not overlap one that has a counterpart already. An error about too little
	// memory is an *OutOfMemory.
	Mirror(flat []float32) error
	// Release gives the counterpart of a slice back. One that has none is left
	// alone.
	Release(flat []float32) error
	// Mirrored reports whether all of a part has a counterpart.
	Mirrored(part []float32) bool
	// Upload copies a part of a mirrored slice from the host to its counterpart.
	Upload(part []float32) error
	// Download copies the counterpart of a part to the host, after everything
	// that was started before.
	Download(part []float32) error
	// Copy copies src to dst, of equal length: between the counterparts if both
	// are mirrored, on the host if neither is. One of each is an error.
	Copy(dst, src []float32) error
	// Clear writes zeros to the counterpart of a part; to a slice that is not
	// mirrored, on the host.
	Clear(part []float32) error
	// Free returns the bytes that are not in use.
	Free() (int64, error)
}

// ErrLost says that a device failed for good: nothing on it can be run or read
// any more by this process.
var ErrLost = errors.New("the device is lost to this process")

// OutOfMemory says that a backend's own memory is too small, or the memory that
// the host can give it.
type OutOfMemory struct {
	What    string // the purpose of the memory
	Planned int64  // bytes; 0 if only the device knows
	Free    int64  // bytes of the device's memory; below 0 if it does not say
	Host    bool   // the host's page-locked memory ran out, not the device's
	Err     error  // the device's error, or nil
}

func (e *OutOfMemory) Error() string {
	memory := "device memory"
	if e.Host {
		memory = "page-locked host memory"
	}
	text := fmt.Sprintf("engine: %s needs more %s than there is", e.What, memory)
	if e.Planned > 0 {
		text = fmt.Sprintf("engine: %s needs %d MiB of %s", e.What, mebibytes(e.Planned), memory)
	}
	switch {
	case e.Host:
		text += ", and the system has no more to give"
	case e.Free >= 0:
		text += fmt.Sprintf(", %d MiB are free", e.Free>>20)
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the device's error.
func (e *OutOfMemory) Unwrap() error { return e.Err }

// mebibytes rounds up: a size that does not fit never reads as if it did.
func mebibytes(n int64) int64 { return (n + 1<<20 - 1) >> 20 }
