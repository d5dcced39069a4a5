//go:build gpu

package cuda

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"edm/internal/cuda/driver"
	"edm/internal/engine"
)

// Backend runs programs on one GPU.
type Backend struct {
	device    *driver.Device
	precision precision
	wgmma     bool           // see target
	compute   *driver.Stream // kernels, in the order of their calls
	copies    *driver.Stream // inputs on their way to the device
	always    bool           // check every launch of every run
	trails    bool           // kernels of graphs tell the host when they begin
	unpacked  bool           // store no value as packed pixels: tests compare the two
	modules   modules
	mirrors   mirrors
	flat      optimiser
	loose     atomic.Pointer[launch] // the last one outside of programs that was not waited for
}

var (
	_ engine.Backend  = (*Backend)(nil)
	_ engine.Executor = (*Backend)(nil)
	_ engine.Memory   = (*Backend)(nil)
	_ engine.Updater  = (*Backend)(nil)
)

// Open opens the GPU of that number. Errors name a missing part: a driver, a
// device, a newer one of either.
func Open(ordinal int, precision string) (engine.Backend, error) {
	b, err := open(ordinal, precision)
	if err != nil {
		return nil, err
	}
	return b, nil
}

// OpenFirst opens the first GPU that will do. That there is none, or no driver,
// or none new enough, is no error: found is false then.
func OpenFirst(precision string) (b engine.Backend, found bool, err error) {
	n, err := driver.Count()
	if missing(err) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("cuda: %w", err)
	}
	for i := range n {
		b, err := open(i, precision)
		if missing(err) {
			continue
		}
		if err != nil {
			return nil, false, err
		}
		return b, true, nil
	}
	return nil, false, nil
}

// missing reports whether an error says that there is no device to use.
func missing(err error) bool {
	for _, known := range []error{driver.ErrNoDriver, driver.ErrBadDriver, driver.ErrOldDriver, driver.ErrNoDevice, driver.ErrOldDevice} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

func open(ordinal int, name string) (*Backend, error) {
	p := slices.Index(Precisions(), name)
	if p < 0 {
		return nil, fmt.Errorf("cuda: precision %q, want one of %v", name, Precisions())
	}
	trails, err := leavingTrails()
	if err != nil {
		return nil, fmt.Errorf("cuda: %w", err)
	}
	d, err := driver.Open(ordinal)
	if errors.Is(err, driver.OutOfMemory) {
		err = &engine.OutOfMemory{What: "the device's context", Free: unknown, Err: err}
	}
	if err != nil {
		return nil, fmt.Errorf("cuda: %w", err)
	}
	to := targetOf(precision(p), d.Info())
	b := &Backend{device: d, precision: to.precision, wgmma: to.wgmma, always: checking(), trails: trails}
	if err := b.init(); err != nil {
		return nil, errors.Join(b.failed(fmt.Sprintf("open device %d", ordinal), err), d.Close())
	}
	return b, nil
}

// init creates the streams and the optimiser's memory.
func (b *Backend) init() error {
	var err error
	if b.compute, err = b.device.NewStream(); err != nil {
		return err
	}
	if b.copies, err = b.device.NewStream(); err != nil {
		return err
	}
	b.modules.init(b.device)
	return b.flat.init(b)
}

// target returns the target that kernels are chosen for.
func (b *Backend) target() target { return target{b.precision, b.wgmma} }

// Name identifies the kernels and how they multiply.
func (b *Backend) Name() string { return "cuda-" + b.target().String() }

// String describes the device and the precision for people.
func (b *Backend) String() string { return fmt.Sprintf("%v, %s", b.device.Info(), b.target()) }

// Kernel returns an error: the device runs whole programs.
func (b *Backend) Kernel(engine.Call) (engine.Kernel, error) {
	return nil, errors.New("cuda: there are no single kernels to run: make an engine.Machine, which runs the program on the device")
}

// Traffic returns how many bytes went to the device and came back since it was
// opened.
func (b *Backend) Traffic() (up, down int64) { return b.device.Traffic() }

// Layout implements engine.Executor.
func (b *Backend) Layout(p *engine.Program) (engine.Layout, error) {
	s, err := b.storage(p)
	if err != nil {
		return engine.Layout{}, err
	}
	return s.layout, nil
}

// storage decides how the values of a program are stored. Errors name the operation
// that the device cannot run.
func (b *Backend) storage(p *engine.Program) (*storage, error) {
	kernels := make([]kernel, len(p.Steps))
	for i, s := range p.Steps {
		var err error
		if kernels[i], err = newKernel(b.target(), s.Call); err != nil {
			return nil, err
		}
	}
	s, err := newStorage(p, kernels, !b.unpacked)
	if err != nil {
		return nil, err
	}
	s.pairNeighbours(p)
	return s, nil
}

// Close waits for the device's work and gives back all that the backend holds of
// the device, also where the process has another backend open on it. Nothing of
// the backend may be used after it.
func (b *Backend) Close() error { return b.device.Close() }

// alloc returns device memory. Where there is not enough, the error is an
// engine.OutOfMemory that says what for.
func (b *Backend) alloc(what string, bytes int64) (pointer, error) {
	at, err := b.device.Alloc(bytes)
	if errors.Is(err, driver.OutOfMemory) {
		err = b.full(what, bytes, err)
	}
	return pointer(at), err
}

// allocHost returns what one of the driver's functions for page-locked memory
// does. Where there is not enough, the error is an engine.OutOfMemory that says
// what for, and that it is the host's.
func (b *Backend) allocHost(what string, alloc func(int) (*driver.Pinned, error), bytes int) (*driver.Pinned, error) {
	p, err := alloc(bytes)
	if errors.Is(err, driver.OutOfMemory) {
		err = &engine.OutOfMemory{What: what, Planned: int64(bytes), Free: unknown, Host: true, Err: err}
	}
	return p, err
}

// free gives device memory back.
func (b *Backend) free(at pointer) error { return b.device.Free(uint64(at)) }
