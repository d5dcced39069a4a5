//go:build gpu

package driver

// #include "extra.h"
import "C"

import (
	"errors"
	"fmt"
	"reflect"

	"gorgonia.org/cu"
)

// What can be missing. Errors of Count and Open wrap one of these, with the
// particulars.
var (
	ErrNoDriver  = errors.New("no CUDA driver: install an NVIDIA driver, version 525 or newer, or run on the CPU")
	ErrOldDriver = errors.New("CUDA 12.0 or newer is needed: update the NVIDIA driver to version 525 or newer, or run on the CPU")
	ErrNoDevice  = errors.New("no CUDA device: the driver is there and found none; check nvidia-smi and CUDA_VISIBLE_DEVICES, or run on the CPU")
	ErrOldDevice = errors.New("8.0 or newer is needed (Ampere, Ada, Hopper and later): choose another device, or run on the CPU")
	ErrBadDriver = errors.New("the CUDA driver does not start: restart the machine after an update of the driver, check nvidia-smi, or run on the CPU")
	ErrClosed    = errors.New("driver: the CUDA device is closed")
)

// Code is a result of the driver. errors.Is finds it in this package's errors.
type Code int

// The codes that callers tell apart.
const (
	OutOfMemory    Code = C.CUDA_ERROR_OUT_OF_MEMORY
	NoDevice       Code = C.CUDA_ERROR_NO_DEVICE
	InvalidPTX     Code = C.CUDA_ERROR_INVALID_PTX
	NotFound       Code = C.CUDA_ERROR_NOT_FOUND
	IllegalAddress Code = C.CUDA_ERROR_ILLEGAL_ADDRESS
	LaunchFailed   Code = C.CUDA_ERROR_LAUNCH_FAILED
)

// contained is CUDA_ERROR_CONTAINED, which came with CUDA 12.8, and which the
// binding's header lacks: an error of the hardware that harms this process alone.
const contained Code = 226

// Lost reports whether the code says that the context is of no use any more: a
// kernel or the device failed, and every later call returns an error.
func (c Code) Lost() bool {
	switch c {
	case C.CUDA_ERROR_ECC_UNCORRECTABLE, contained, C.CUDA_ERROR_LAUNCH_TIMEOUT, C.CUDA_ERROR_ASSERT,
		C.CUDA_ERROR_HARDWARE_STACK_ERROR, C.CUDA_ERROR_ILLEGAL_INSTRUCTION, C.CUDA_ERROR_MISALIGNED_ADDRESS,
		C.CUDA_ERROR_INVALID_ADDRESS_SPACE, C.CUDA_ERROR_INVALID_PC, IllegalAddress, LaunchFailed:
		return true
	}
	return false
}

// Error returns the driver's name of the code and its description.
func (c Code) Error() string {
	name := C.edm_error_name(C.CUresult(c))
	if name == nil {
		return fmt.Sprintf("CUDA error %d", int(c))
	}
	text := C.edm_error_text(C.CUresult(c))
	if text == nil {
		return C.GoString(name)
	}
	return fmt.Sprintf("%s (%s)", C.GoString(name), C.GoString(text))
}

// Error is a driver call that failed.
type Error struct {
	Call string // the driver's function
	Code Code
}

// Error names the call, the code and the driver's text for it.
func (e *Error) Error() string { return e.Call + ": " + e.Code.Error() }

// Unwrap returns the code.
func (e *Error) Unwrap() error { return e.Code }

// check returns the error of a driver call, or nil.
func check(call string, result C.CUresult) error {
	if result == C.CUDA_SUCCESS {
		return nil
	}
	return &Error{Call: call, Code: Code(result)}
}

// wrap returns the binding's error of a driver call with the call's name. The
// binding's type of errors is its own, an integer that holds the code.
func wrap(call string, err error) error {
	if err == nil {
		return nil
	}
	if v := reflect.ValueOf(err); v.Kind() == reflect.Int {
		return &Error{Call: call, Code: Code(v.Int())}
	}
	return fmt.Errorf("%s: %w", call, err)
}

// ready returns why the driver cannot be used, or nil.
func ready() error {
	if text := C.edm_cuda_load_error(); text != nil {
		return fmt.Errorf("driver: %s: %w", C.GoString(text), ErrNoDriver)
	}
	switch code := Code(C.edm_cuda_init_result()); code {
	case 0:
	case NoDevice:
		return fmt.Errorf("driver: %w", ErrNoDevice)
	default:
		return fmt.Errorf("driver: %w: %w", &Error{Call: "cuInit", Code: code}, ErrBadDriver)
	}
	return checkVersion(cu.Version())
}

// checkVersion returns why a driver of that CUDA version will not do, or nil.
func checkVersion(v int) error {
	if v < MinDriver {
		return fmt.Errorf("driver: the NVIDIA driver offers CUDA %d.%d: %w", v/1000, v%1000/10, ErrOldDriver)
	}
	return nil
}
