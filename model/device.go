package model

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"edm/internal/cpu"
	"edm/internal/cuda"
	"edm/internal/engine"
)

// ErrLost says that a device failed for good while it computed. The contents of its
// memory are lost, and this process cannot use it again.
var ErrLost = engine.ErrLost

// ErrUnsupported says that a device cannot run a program that the processor can.
var ErrUnsupported = engine.ErrUnsupported

// Device runs programs: the processor, or a GPU.
type Device struct {
	backend engine.Backend
	holds   holds
}

// MaxThreads is the greatest number of threads that OpenCPU accepts.
const MaxThreads = 1024

// The names that OpenDevice takes; AnyDevice and the precision of the processor
// are the defaults. A GPU is CUDADevice, the first one, or has its number behind
// it: cuda:1.
const (
	AnyDevice        = "auto"
	CPUDevice        = "cpu"
	CUDADevice       = "cuda"
	DefaultPrecision = cuda.FP32
)

// Precisions returns the names of the ways in which a GPU computes products of
// matrices: fp32, and with less precise factors tf32 and bf16. Everything else,
// sums of products too, is float32 in all of them.
func Precisions() []string { return cuda.Precisions() }

// CheckDevice returns the faults of the names of a device and a precision,
// whether or not there is such a device.
func CheckDevice(name, precision string) error {
	_, _, err := parseDevice(name)
	if !slices.Contains(Precisions(), precision) {
		err = errors.Join(err, fmt.Errorf("model: precision is %q, want one of %s", precision, strings.Join(Precisions(), ", ")))
	}
	if name == CPUDevice && err == nil && precision != DefaultPrecision {
		err = fmt.Errorf("model: precision %s is a GPU's: the processor computes in %s", precision, DefaultPrecision)
	}
	return err
}

// parseDevice splits a device's name into its kind and the number of a GPU.
func parseDevice(name string) (kind string, ordinal int, err error) {
	kind, number, numbered := strings.Cut(name, ":")
	switch {
	case !numbered && (kind == AnyDevice || kind == CPUDevice || kind == CUDADevice):
		return kind, 0, nil
	case numbered && kind == CUDADevice:
		if ordinal, err = strconv.Atoi(number); err == nil && ordinal >= 0 {
			return kind, ordinal, nil
		}
	}
	return "", 0, fmt.Errorf("model: device is %q, want auto, cpu, cuda or cuda:N with the number of a GPU, from 0", name)
}

// OpenDevice opens the device of a name: "cpu", "cuda", "cuda:N", or "auto", the
// first GPU that this build and machine can use, else the processor. threads are
// OpenCPU's; precision is one of Precisions. An automatic choice of the processor
// computes in its own precision.
func OpenDevice(name string, threads int, precision string) (*Device, error) {
	if err := CheckDevice(name, precision); err != nil {
		return nil, err
	}
	kind, ordinal, err := parseDevice(name)
	if err != nil {
		return nil, err
	}
	var b engine.Backend
	found := kind == CUDADevice
	switch kind {
	case CUDADevice:
		b, err = cuda.Open(ordinal, precision)
	case AnyDevice:
		b, found, err = cuda.OpenFirst(precision)
	}
	var full *engine.OutOfMemory
	if errors.As(err, &full) {
		advice := "nvidia-smi lists what holds the GPU's memory; end that, choose another GPU, or use the processor"
		if full.Host {
			advice = "end other programs, or use the processor"
		}
		err = fmt.Errorf("%w: %s", err, advice)
	}
	if err != nil {
		return nil, fmt.Errorf("model: device %s: %w", name, err)
	}
	if !found {
		return OpenCPU(threads)
	}
	return &Device{backend: b}, nil
}

// OpenCPU returns the processor's fastest kernels on the given number of
// threads, at most MaxThreads; 0 stands for one a logical processor.
func OpenCPU(threads int) (*Device, error) {
	if threads < 0 || threads > MaxThreads {
		return nil, fmt.Errorf("model: %d threads, want 0 to %d", threads, MaxThreads)
	}
	return &Device{backend: cpu.New(threads)}, nil
}

// NewDevice returns the device of a backend.
func NewDevice(b engine.Backend) *Device { return &Device{backend: b} }

// Portable returns the plain Go loops that define every operation: one thread,
// slow, for comparison.
func Portable() *Device { return &Device{backend: engine.Portable{}} }

// Name identifies the set of kernels: with equal names a run gives equal bits on
// one kind of hardware.
func (d *Device) Name() string { return d.backend.Name() }

// String describes the device for people: the name of the kernels, and which GPU
// it is.
func (d *Device) String() string {
	if s, ok := d.backend.(fmt.Stringer); ok {
		return s.String()
	}
	return d.Name()
}

// Backend returns the kernels, for graphs that are compiled outside of this
// package.
func (d *Device) Backend() engine.Backend { return d.backend }

// Close stops the device's threads and gives its memory back. No program may run
// after it.
func (d *Device) Close() error { return d.backend.Close() }
