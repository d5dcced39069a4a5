//go:build gpu

package cuda

import (
	"slices"

	"edm/internal/cuda/driver"
	"edm/internal/cuda/ptx"
	"edm/internal/engine"
)

// What is allowed for where only the driver knows. No device has been asked yet.
const (
	// launchAllowance is for a launch in a graph, in bytes: no launch has more
	// arguments.
	launchAllowance = 4 << 10
	// graphsAllowed is the number of graphs that a program mostly has: in training
	// one that writes the gradient and one whose gradient is added.
	graphsAllowed = 2
)

var _ engine.Planner = (*Backend)(nil)

// Beside implements engine.Planner. What is sent lies in device memory twice. A
// graph has the tensor maps of its launches, and a module that is not loaded is
// allowed as many bytes as its text has.
func (b *Backend) Beside(p *engine.Program, staged engine.Staged) (engine.Footprint, error) {
	var f engine.Footprint
	for _, n := range staged.Inputs {
		f.Staging += 2 * int64(roundUp(n))
	}
	for _, n := range slices.Concat(staged.Made, staged.Outputs) {
		f.Staging += int64(roundUp(n))
	}
	s, err := b.storage(p)
	if err != nil {
		return f, err
	}
	used := map[string]bool{}
	if len(staged.Made) > 0 {
		used["feed"] = true
		f.Allowance += graphsAllowed * launchAllowance * int64(len(staged.Made))
	}
	for i := range s.steps {
		for _, l := range s.steps[i].launches(operands{}, nowhere, anywhere) {
			f.Allowance += graphsAllowed * int64(launchAllowance+l.tensorMaps()*driver.TensorMapSize)
			used[l.module] = true
		}
	}
	for name := range used {
		n, err := b.modules.allowance(name)
		if err != nil {
			return f, err
		}
		f.Allowance += n
	}
	return f, nil
}

// nowhere and anywhere are places of values and of pieces, for launches that are
// only looked at.
func nowhere(int) pointer    { return 0 }
func anywhere(i int) pointer { return pointer(flag(i != none)) }

// allowance returns the bytes to allow for a module's code: none if it is loaded.
func (m *modules) allowance(name string) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.loaded[name]; ok {
		return 0, nil
	}
	text, err := m.text(name)
	return int64(len(text)), err
}

// text returns a module's PTX for the device.
func (m *modules) text(name string) (string, error) {
	info := m.device.Info()
	return ptx.Module(name, 10*info.Major+info.Minor, info.Driver)
}
