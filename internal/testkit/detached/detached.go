// Package detached is a backend in plain Go whose kernels work in a memory of
// their own, as a GPU's do: the definitions of the operations behind the seams
// engine.Executor, engine.Memory and engine.Updater. Tests of what stands above
// those seams run on it where there is no GPU.
package detached

import (
	"errors"
	"fmt"
	"time"
	"unsafe"

	"edm/internal/engine"
)

// Backend is engine.Portable behind the seams of a GPU's backend. Its results
// have the same bits. It is for one goroutine at a time.
type Backend struct {
	engine.Portable
	// Capacity is the memory in bytes; 0 is no limit.
	Capacity int64
	// FailRun is the number of the run, from 1, that fails; 0 for none.
	FailRun int

	used  int64
	sent  int64
	runs  int
	pairs []pair
}

// pair is a host slice with its counterpart.
type pair struct{ host, twin []float32 }

var (
	_ engine.Backend  = (*Backend)(nil)
	_ engine.Executor = (*Backend)(nil)
	_ engine.Memory   = (*Backend)(nil)
	_ engine.Updater  = (*Backend)(nil)
	_ engine.Feeder   = (*runner)(nil)
)

// ErrFault is the error of the run that FailRun names and of all that follow.
var ErrFault = errors.New("detached: the fault that was asked for")

// Name implements engine.Backend.
func (b *Backend) Name() string { return "detached" }

// Kernel returns an error, as a GPU's backend does.
func (b *Backend) Kernel(engine.Call) (engine.Kernel, error) {
	return nil, errors.New("detached: there are no single kernels to run")
}

// Runs returns how many runs began.
func (b *Backend) Runs() int { return b.runs }

// Sent returns the bytes of the inputs that runs have copied from the host.
func (b *Backend) Sent() int64 { return b.sent }

// Used returns the bytes in use.
func (b *Backend) Used() int64 { return b.used }

// reserve takes memory.
func (b *Backend) reserve(what string, bytes int64) error {
	if b.Capacity > 0 && b.used+bytes > b.Capacity {
		return &engine.OutOfMemory{What: what, Planned: bytes, Free: b.Capacity - b.used}
	}
	b.used += bytes
	return nil
}

// fault returns an error once the run that fails began.
func (b *Backend) fault() error {
	if b.FailRun > 0 && b.runs >= b.FailRun {
		return ErrFault
	}
	return nil
}

// Layout implements engine.Executor.
func (b *Backend) Layout(p *engine.Program) (engine.Layout, error) {
	return engine.KernelLayout(p, b.Portable)
}

// find returns the counterpart of a part, or nil.
func (b *Backend) find(part []float32) []float32 {
	if len(part) == 0 {
		return nil
	}
	for _, p := range b.pairs {
		offset := (int64(address(part)) - int64(address(p.host))) / 4
		if offset >= 0 && offset+int64(len(part)) <= int64(len(p.host)) {
			return p.twin[offset : offset+int64(len(part))]
		}
	}
	return nil
}

func address(s []float32) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(s))) }

// errNotMirrored is that of a slice without a counterpart.
var errNotMirrored = errors.New("detached: the slice is not mirrored")

// Mirror implements engine.Memory.
func (b *Backend) Mirror(flat []float32) error {
	if b.find(flat) != nil {
		return errors.New("detached: the slice is mirrored already")
	}
	if err := b.reserve("a flat buffer", 4*int64(len(flat))); err != nil {
		return err
	}
	b.pairs = append(b.pairs, pair{flat, append([]float32(nil), flat...)})
	return nil
}

// Release implements engine.Memory.
func (b *Backend) Release(flat []float32) error {
	for i, p := range b.pairs {
		if len(flat) > 0 && &p.host[0] == &flat[0] {
			b.used -= 4 * int64(len(p.host))
			b.pairs = append(b.pairs[:i:i], b.pairs[i+1:]...)
			return nil
		}
	}
	return nil
}

// Mirrored implements engine.Memory.
func (b *Backend) Mirrored(part []float32) bool { return b.find(part) != nil }

// Upload implements engine.Memory.
func (b *Backend) Upload(part []float32) error { return b.transfer(part, true) }

// Download implements engine.Memory.
func (b *Backend) Download(part []float32) error { return b.transfer(part, false) }

func (b *Backend) transfer(part []float32, up bool) error {
	twin := b.find(part)
	switch {
	case b.fault() != nil:
		return b.fault()
	case twin == nil:
		return errNotMirrored
	case up:
		copy(twin, part)
	default:
		copy(part, twin)
	}
	return nil
}

// Copy implements engine.Memory.
func (b *Backend) Copy(dst, src []float32) error {
	to, from := b.find(dst), b.find(src)
	switch {
	case len(dst) != len(src):
		return fmt.Errorf("detached: copy of %d elements to %d", len(src), len(dst))
	case (to == nil) != (from == nil):
		return errNotMirrored
	case to == nil:
		copy(dst, src)
	default:
		copy(to, from)
	}
	return nil
}

// Clear implements engine.Memory.
func (b *Backend) Clear(part []float32) error {
	if twin := b.find(part); twin != nil {
		part = twin
	}
	clear(part)
	return nil
}

// Free implements engine.Memory.
func (b *Backend) Free() (int64, error) {
	if b.Capacity == 0 {
		return 1 << 40, nil
	}
	return b.Capacity - b.used, nil
}

// Adam implements engine.Updater.
func (b *Backend) Adam(u engine.Update, w, ema, m, v, g []float32) error {
	t, err := b.twins(w, ema, m, v, g)
	if err != nil {
		return err
	}
	return b.Portable.Adam(u, t[0], t[1], t[2], t[3], t[4])
}

// SumSquares implements engine.Updater.
func (b *Backend) SumSquares(x []float32) (float64, error) {
	t, err := b.twins(x)
	if err != nil {
		return 0, err
	}
	return b.Portable.SumSquares(t[0])
}

// Accumulate implements engine.Updater.
func (b *Backend) Accumulate(y, x []float32) error {
	t, err := b.twins(y, x)
	if err != nil {
		return err
	}
	return b.Portable.Accumulate(t[0], t[1])
}

// twins returns the counterparts of flat buffers.
func (b *Backend) twins(flat ...[]float32) ([][]float32, error) {
	out := make([][]float32, len(flat))
	for i, f := range flat {
		if out[i] = b.find(f); out[i] == nil {
			return nil, errNotMirrored
		}
	}
	return out, b.fault()
}

// runner runs a program in the backend's memory.
type runner struct {
	b       *Backend
	program *engine.Program
	kernels []engine.Kernel
	arena   []float32
	values  []value
	running bool
}

// value is an input or output: what is bound to it or fed, and memory of its own
// for when that has no counterpart.
type value struct {
	bound, own engine.Buffer
	feed       engine.Feed // nil if a buffer is bound
}

// NewRunner implements engine.Executor.
func (b *Backend) NewRunner(p *engine.Program) (engine.Runner, error) {
	if err := b.reserve("a program's arena", p.ArenaBytes()); err != nil {
		return nil, err
	}
	r := &runner{b: b, program: p, arena: make([]float32, p.ArenaLen()), values: make([]value, p.NumValues())}
	for _, s := range p.Steps {
		k, err := b.Portable.Kernel(s.Call)
		if err != nil {
			return nil, err
		}
		r.kernels = append(r.kernels, k)
	}
	for id := range r.values {
		if v := p.Value(id); v.Role != engine.Intermediate {
			r.values[id].own = engine.NewBuffer(v.DType, v.Shape.TotalSize())
		}
	}
	return r, nil
}

// Bind implements engine.Runner.
func (r *runner) Bind(id int, b engine.Buffer, _ uint64) {
	r.values[id].bound, r.values[id].feed = b, nil
}

// Feed implements engine.Feeder.
func (r *runner) Feed(id int, f engine.Feed) {
	r.values[id].bound, r.values[id].feed = engine.Buffer{}, f
}

// receive brings an input to the device.
func (r *runner) receive(v *value) {
	switch f := v.feed.(type) {
	case engine.Pixels:
		r.b.sent += int64(len(f))
	case engine.Normals:
		r.b.sent += 8 * int64(2+len(f.Index))
	case nil:
		if r.b.find(v.bound.F32) == nil {
			r.b.sent += int64(4*copy(v.own.F32, v.bound.F32) + 8*copy(v.own.I64, v.bound.I64))
		}
		return
	}
	v.feed.Fill(v.own.F32)
}

// at returns where a value lies.
func (r *runner) at(id int) engine.Buffer {
	v := r.program.Value(id)
	if v.Role == engine.Intermediate {
		return engine.Buffer{F32: r.arena[v.Span.At : v.Span.At+v.Span.Len]}
	}
	if twin := r.b.find(r.values[id].bound.F32); twin != nil {
		return engine.Buffer{F32: twin}
	}
	return r.values[id].own
}

// Start implements engine.Runner.
func (r *runner) Start() error { return r.RunTimed(nil) }

// RunTimed implements engine.Runner; without a function it leaves the run to be
// waited for.
func (r *runner) RunTimed(report func(s *engine.Step, d time.Duration)) error {
	if r.running {
		return errors.New("detached: the run before was not waited for")
	}
	r.b.runs++
	if err := r.b.fault(); err != nil {
		return err
	}
	for id := range r.values {
		if r.program.Value(id).Role == engine.Input {
			r.receive(&r.values[id])
		}
	}
	r.running = true
	for i := range r.kernels {
		start := time.Now()
		r.step(i)
		if report != nil {
			report(&r.program.Steps[i], time.Since(start))
		}
	}
	if report == nil {
		return nil
	}
	return r.Wait()
}

// step runs one operation.
func (r *runner) step(i int) {
	s := &r.program.Steps[i]
	a := engine.Args{
		Out: r.at(s.Output), Work: engine.Buffer{F32: r.arena[s.Work.At : s.Work.At+s.Work.Len]},
		Version: make([]uint64, len(s.Inputs)),
	}
	for _, id := range s.Inputs {
		a.In = append(a.In, r.at(id))
	}
	r.kernels[i].Run(&a)
}

// Wait implements engine.Runner.
func (r *runner) Wait() error {
	r.running = false
	for id, v := range r.values {
		if r.program.Value(id).Role == engine.Output && r.b.find(v.bound.F32) == nil {
			copy(v.bound.F32, v.own.F32)
		}
	}
	return nil
}

// Close implements engine.Runner.
func (r *runner) Close() error {
	r.b.used -= 4 * int64(len(r.arena))
	r.arena = nil
	return nil
}
