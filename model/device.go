package model

import (
	"fmt"

	"edm/internal/cpu"
	"edm/internal/engine"
)

// Device is what programs run on.
type Device struct{ backend engine.Backend }

// MaxThreads is the greatest number of threads that OpenCPU accepts.
const MaxThreads = 1024

// OpenCPU returns the processor's fastest kernels on the given number of
// threads, at most MaxThreads; 0 stands for one a logical processor.
func OpenCPU(threads int) (*Device, error) {
	if threads < 0 || threads > MaxThreads {
		return nil, fmt.Errorf("model: %d threads, want 0 to %d", threads, MaxThreads)
	}
	return &Device{cpu.New(threads)}, nil
}

// Portable returns the plain Go loops that define every operation: one thread,
// slow, for comparison.
func Portable() *Device { return &Device{engine.Portable{}} }

// Name identifies the set of kernels: with equal names a run gives equal bits.
func (d *Device) Name() string { return d.backend.Name() }

// Backend returns the kernels, for graphs that are compiled outside of this
// package.
func (d *Device) Backend() engine.Backend { return d.backend }

// Close stops the device's threads. No program may run after it.
func (d *Device) Close() error { return d.backend.Close() }
