//go:build gpu

package cuda

import (
	"errors"
	"fmt"

	"edm/internal/cuda/driver"
	"edm/internal/engine"
)

// failed returns the error of what a method of the backend did, or nil. One that
// leaves the device useless is an engine.ErrLost.
func (b *Backend) failed(doing string, err error) error {
	if err == nil {
		return nil
	}
	if lost(err) {
		err = b.lose(err)
	}
	return fmt.Errorf("cuda: %s: %w", doing, err)
}

// lost reports whether an error is of a device that does nothing more.
func lost(err error) bool {
	var code driver.Code
	return errors.As(err, &code) && code.Lost()
}

// lose says of an error that the device is lost, and what of the work outside of
// programs was not known to be done: it may be at fault.
func (b *Backend) lose(err error) error {
	if l := b.loose.Load(); l != nil {
		err = fmt.Errorf("kernel %s was started before: %w", l.kernelName(), err)
	}
	return fmt.Errorf("%w; %w", err, engine.ErrLost)
}

// settled notes that everything was waited for.
func (b *Backend) settled() { b.loose.Store(nil) }
