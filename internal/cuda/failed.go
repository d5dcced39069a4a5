//go:build gpu

package cuda

import (
	"errors"
	"fmt"

	"edm/internal/cuda/driver"
	"edm/internal/engine"
)

// failed returns the error of a method of the backend, or nil. One that
// leaves the device useless is an engine.ErrLost, one for want of memory an
// engine.OutOfMemory, whichever call of the driver's found too little.
func (b *Backend) failed(doing string, err error) error {
	if err == nil { // a run that goes well allocates nothing
		return nil
	}
	var known *engine.OutOfMemory
	var call *driver.Error
	switch {
	case lost(err):
		err = b.lose(err)
	case errors.As(err, &known): // it names the purpose of the memory
	case errors.As(err, &call) && call.Code == driver.OutOfMemory:
		err = b.full(purpose(call.Call), 0, err)
	}
	return fmt.Errorf("cuda: %s: %w", doing, err)
}

// unknown is how much memory is free where the driver does not say.
const unknown = -1

// full returns the error of a call that found too little memory of the device for
// so many bytes, 0 if only the driver knows.
func (b *Backend) full(what string, bytes int64, err error) *engine.OutOfMemory {
	free, freeErr := b.device.FreeMem()
	if freeErr != nil {
		free = unknown
	}
	return &engine.OutOfMemory{What: what, Planned: bytes, Free: free, Err: err}
}

// purpose says what a call of the driver's takes memory for that it was not asked
// for.
func purpose(call string) string {
	switch call {
	case "cuModuleLoadDataEx", "cuModuleGetFunction", "cuFuncSetAttribute":
		return "a module of kernels"
	case "cuStreamBeginCapture_v2", "cuStreamEndCapture", "cuGraphInstantiateWithFlags":
		return "a captured graph"
	case "cuGraphLaunch":
		return "the launch of a graph"
	case "cuLaunchKernel":
		return "the launch of a kernel"
	case "cuStreamCreate":
		return "a stream"
	case "cuEventCreate":
		return "an event"
	}
	return call
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
