//go:build gpu

package cuda

import (
	"fmt"
	"sync"

	"edm/internal/cuda/driver"
	"edm/internal/cuda/ptx"
)

// modules are the kernels loaded so far.
type modules struct {
	mu        sync.Mutex
	device    *driver.Device
	loaded    map[string]*driver.Module
	functions map[function]*driver.Function
}

// function names a kernel.
type function struct{ module, name string }

func (m *modules) init(d *driver.Device) {
	m.device, m.loaded, m.functions = d, map[string]*driver.Module{}, map[function]*driver.Function{}
}

// get returns a kernel that takes that many bytes of dynamic shared memory, and
// loads its module at the first use.
func (m *modules) get(name function, shared int) (*driver.Function, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f, ok := m.functions[name]
	if !ok {
		module, err := m.module(name.module)
		if err != nil {
			return nil, err
		}
		if f, err = module.Function(name.name); err != nil {
			return nil, err
		}
		m.functions[name] = f
	}
	return f, f.AllowShared(shared)
}

// module returns a loaded module.
func (m *modules) module(name string) (*driver.Module, error) {
	if l, ok := m.loaded[name]; ok {
		return l, nil
	}
	info := m.device.Info()
	text, err := ptx.Module(name, 10*info.Major+info.Minor, info.Driver)
	if err != nil {
		return nil, err
	}
	l, err := m.device.LoadModule(name, text)
	if err == nil {
		m.loaded[name] = l
	}
	return l, err
}

// ready is a launch with its kernel loaded and its arguments in place.
type ready struct {
	launch
	function *driver.Function
	values   driver.Args
}

// prepare makes a launch ready. Errors name the kernel.
func (m *modules) prepare(l launch) (*ready, error) {
	r := &ready{launch: l}
	var err error
	if r.function, err = m.get(function{l.module, l.name}, l.shared); err != nil {
		return nil, err
	}
	for i, a := range l.args {
		switch v := a.(type) {
		case pointer:
			r.values.Pointer(uint64(v))
		case int32:
			r.values.Int32(v)
		case uint32:
			r.values.Uint32(v)
		case int64:
			r.values.Int64(v)
		case float32:
			r.values.Float32(v)
		default:
			return nil, fmt.Errorf("kernel %s.%s: argument %d is a %T, want pointer, int32, uint32, int64 or float32", l.module, l.name, i, a)
		}
	}
	return r, nil
}

// start queues the launch.
func (r *ready) start(s *driver.Stream) error {
	return s.Launch(r.function, r.grid, r.block, r.shared, &r.values)
}
