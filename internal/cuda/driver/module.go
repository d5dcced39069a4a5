//go:build gpu

package driver

// #include <stdlib.h>
// #include "extra.h"
import "C"

import (
	"fmt"
	"strings"
	"unsafe"

	"gorgonia.org/cu"
)

// Module is a loaded PTX text: kernels, compiled for the device.
type Module struct {
	device *Device
	name   string
	module cu.Module
}

// Function is one kernel of a module.
type Function struct {
	device   *Device
	name     string
	shared   int // the most dynamic shared memory of a launch, in bytes
	function cu.Function
}

// LoadModule compiles a PTX text for the device. The name is for errors, which
// hold the compiler's log.
func (d *Device) LoadModule(name, ptx string) (*Module, error) {
	text := C.CString(ptx)
	defer C.free(unsafe.Pointer(text))
	log := (*C.char)(C.calloc(C.EDM_LOG_SIZE, 1))
	defer C.free(unsafe.Pointer(log))
	m := &Module{device: d, name: name}
	err := d.Do(func() error {
		var handle C.CUmodule
		if err := check("cuModuleLoadDataEx", C.edm_load_module(&handle, text, log)); err != nil {
			return err
		}
		m.module = *(*cu.Module)(unsafe.Pointer(&handle))
		d.held.keep(m, m.Close)
		return nil
	})
	if err != nil {
		said := strings.TrimSpace(C.GoString(log))
		if said == "" {
			said = "the driver gave no log"
		}
		return nil, fmt.Errorf("driver: load module %s on %s: %w\n%s", name, d.info.Name, err, said)
	}
	return m, nil
}

// Function returns the module's kernel of that name.
func (m *Module) Function(name string) (*Function, error) {
	f := &Function{device: m.device, name: m.name + "." + name, shared: DefaultShared}
	err := m.device.Do(func() error {
		var err error
		f.function, err = m.module.Function(name)
		return wrap("cuModuleGetFunction", err)
	})
	if err != nil {
		return nil, fmt.Errorf("driver: kernel %s of module %s: %w", name, m.name, err)
	}
	return f, nil
}

// Close unloads the module, whose functions are gone then.
func (m *Module) Close() error {
	if m.module == (cu.Module{}) {
		return nil
	}
	return m.device.Do(func() error {
		m.device.held.drop(m)
		err := m.module.Unload()
		m.module = cu.Module{}
		return wrap("cuModuleUnload", err)
	})
}

// Name returns the module's name and the kernel's, with a dot between.
func (f *Function) Name() string { return f.name }

// AllowShared lets launches have up to n bytes of dynamic shared memory, at most
// Info.MaxShared. Up to DefaultShared nothing need be asked. Before a capture.
func (f *Function) AllowShared(n int) error {
	if n <= f.shared {
		return nil
	}
	if most := f.device.info.MaxShared; n > most {
		return fmt.Errorf("driver: kernel %s wants %d bytes of shared memory; a block on %s has at most %d",
			f.name, n, f.device.info.Name, most)
	}
	err := f.device.Do(func() error {
		return check("cuFuncSetAttribute", C.cuFuncSetAttribute(f.raw(),
			C.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, C.int(n)))
	})
	if err != nil {
		return fmt.Errorf("driver: give kernel %s %d bytes of shared memory: %w", f.name, n, err)
	}
	f.shared = n
	return nil
}

// Usage is the registers, shared and local memory of a kernel.
type Usage struct {
	Registers  int // of a thread
	Local      int // bytes of local memory of a thread: spills and arrays
	MaxThreads int // of a block
}

// Usage returns the kernel's registers and memory.
func (f *Function) Usage() (Usage, error) {
	var u Usage
	err := f.device.Do(func() error {
		for _, a := range []struct {
			to        *int
			attribute cu.FunctionAttribute
		}{{&u.Registers, cu.NumRegs}, {&u.Local, cu.LocalSizeBytes}, {&u.MaxThreads, cu.FnMaxThreadsPerBlock}} {
			var err error
			if *a.to, err = f.function.Attribute(a.attribute); err != nil {
				return wrap("cuFuncGetAttribute", err)
			}
		}
		return nil
	})
	return u, err
}

// raw returns the driver's handle, which the binding keeps to itself.
func (f *Function) raw() C.CUfunction {
	return *(*C.CUfunction)(unsafe.Pointer(&f.function))
}

// The binding's handles hold the driver's and nothing else.
var (
	_ [unsafe.Sizeof(C.CUfunction(nil))]byte = [unsafe.Sizeof(cu.Function{})]byte{}
	_ [unsafe.Sizeof(C.CUmodule(nil))]byte   = [unsafe.Sizeof(cu.Module{})]byte{}
)
