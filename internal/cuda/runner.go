//go:build gpu

package cuda

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"edm/internal/cuda/driver"
	"edm/internal/engine"
	"edm/internal/op"
)

// checkVariable names the environment variable that, set to anything, has every
// launch of every run started by itself and waited for.
const checkVariable = "EDM_CUDA_CHECK"

// checking reports whether it is set.
func checking() bool { return os.Getenv(checkVariable) != "" }

// runner is a program on the device.
type runner struct {
	b       *Backend
	program *engine.Program
	steps   []work
	arena   pointer
	values  []bound // one a value
	lanes   lanes
	seen    uint64 // version of the mirrors that the addresses are of
	stale   bool   // addresses are to be looked up again
	checked bool   // every launch ran once by itself
	running bool
	graphs  []*recorded
	current *recorded // for the addresses as they are; nil to look it up
}

// bound is what an input or output stands for now, and where every value lies.
type bound struct {
	buffer  engine.Buffer
	version uint64
	at      pointer
	staged  *staged // nil unless it was needed
}

// NewRunner implements engine.Executor.
func (b *Backend) NewRunner(p *engine.Program) (engine.Runner, error) {
	s, err := b.storage(p)
	if err != nil {
		return nil, err
	}
	r := &runner{b: b, program: p, steps: s.steps, values: make([]bound, p.NumValues()), stale: true}
	if err := r.allocate(); err != nil {
		return nil, errors.Join(fmt.Errorf("cuda: prepare a program: %w", err), r.Close())
	}
	return r, nil
}

// allocate makes the arena and what staging needs.
func (r *runner) allocate() error {
	if n := r.program.ArenaBytes(); n > 0 {
		var err error
		if r.arena, err = r.b.alloc("a program's arena", n); err != nil {
			return err
		}
	}
	for id := range r.values {
		if v := r.program.Value(id); v.Span.Len > 0 {
			r.values[id].at = r.arena.plus(v.Span.At)
		}
	}
	return r.lanes.init(r.b)
}

// Bind implements engine.Runner.
func (r *runner) Bind(id int, b engine.Buffer, version uint64) {
	v := &r.values[id]
	if same(v.buffer, b) && v.version == version {
		return
	}
	v.buffer, v.version = b, version
	r.stale = true
}

// same reports whether two buffers are the same memory.
func same(a, b engine.Buffer) bool {
	x, y := bytesOf(a), bytesOf(b)
	return len(x) == len(y) && (len(x) == 0 || &x[0] == &y[0])
}

// Start implements engine.Runner.
func (r *runner) Start() error {
	if r.running {
		return errors.New("cuda: run: the run before was not waited for")
	}
	err := r.b.device.Do(func() error {
		if err := r.arrange(); err != nil {
			return err
		}
		if err := r.run(); err != nil {
			return err
		}
		return r.lanes.download()
	})
	if err != nil {
		return fmt.Errorf("cuda: run: %w", err)
	}
	r.running = true
	return nil
}

// Prefetch implements engine.Prefetcher.
func (r *runner) Prefetch() error {
	if r.stale || r.seen != r.b.mirrors.version() {
		return nil // addresses may change: Start uploads
	}
	if err := r.b.device.Do(r.lanes.upload); err != nil {
		return fmt.Errorf("cuda: upload inputs: %w", err)
	}
	return nil
}

// Wait implements engine.Runner.
func (r *runner) Wait() error {
	if !r.running {
		return errors.New("cuda: wait: no run was started")
	}
	r.running = false
	if err := r.b.compute.Synchronize(); err != nil {
		return fmt.Errorf("cuda: run of %s: %w; with %s=1 in the environment every launch is checked, which names the one at fault",
			r.extent(), err, checkVariable)
	}
	for _, k := range r.lanes.outputs {
		k.deliver()
	}
	return nil
}

// extent names the program by what it begins and ends with.
func (r *runner) extent() string {
	steps := r.program.Steps
	if len(steps) == 0 {
		return "an empty program"
	}
	return fmt.Sprintf("a program of %d operations, from %v to %v", len(steps), opName(&steps[0]), opName(&steps[len(steps)-1]))
}

// opName returns an operation as errors have it.
func opName(s *engine.Step) string { return op.Op{Spec: s.Spec}.String() }

// arrange puts the inputs in their places.
func (r *runner) arrange() error {
	if v := r.b.mirrors.version(); r.stale || v != r.seen {
		if err := r.resolve(); err != nil {
			return err
		}
		r.stale, r.seen = false, v
	}
	if err := r.lanes.upload(); err != nil {
		return fmt.Errorf("upload inputs: %w", err)
	}
	if err := r.lanes.take(); err != nil {
		return fmt.Errorf("take inputs over: %w", err)
	}
	return nil
}

// resolve looks up where inputs and outputs lie: with their counterparts, or
// where they are staged.
func (r *runner) resolve() error {
	var inputs, outputs []*staged
	for id := range r.values {
		role := r.program.Value(id).Role
		if role == engine.Intermediate {
			continue
		}
		v := &r.values[id]
		at, mirrored := r.b.mirrors.find(v.buffer.F32)
		if mirrored {
			r.move(v, at)
			if v.staged != nil {
				v.staged.host = nil
			}
			continue
		}
		host := bytesOf(v.buffer)
		if v.staged == nil {
			v.staged = &staged{size: len(host)}
			if role == engine.Input {
				inputs = append(inputs, v.staged)
			} else {
				outputs = append(outputs, v.staged)
			}
		}
		v.staged.host, v.staged.version = host, v.version
	}
	if err := errors.Join(r.lanes.add(inputs, true), r.lanes.add(outputs, false)); err != nil {
		r.forget(inputs, outputs)
		return err
	}
	for id := range r.values {
		if v := &r.values[id]; v.staged != nil && v.staged.host != nil {
			r.move(v, v.staged.place())
		}
	}
	return nil
}

// forget makes the values that got no place ask for one again.
func (r *runner) forget(groups ...[]*staged) {
	for id := range r.values {
		v := &r.values[id]
		for _, members := range groups {
			if v.staged != nil && v.staged.block == nil && slices.Contains(members, v.staged) {
				v.staged = nil
			}
		}
	}
}

// move notes where a value lies.
func (r *runner) move(v *bound, at pointer) {
	if v.at != at {
		v.at, r.current = at, nil
	}
}

// run queues the program on the compute stream.
func (r *runner) run() error {
	if !r.checked || r.b.always {
		if err := r.each(r.waited); err != nil {
			return err
		}
		r.checked = true
		return nil
	}
	g, err := r.graph()
	if err != nil {
		return err
	}
	if err := r.b.compute.Replay(g.graph); err != nil {
		return fmt.Errorf("%s: %w", r.extent(), err)
	}
	return nil
}

// each calls do for every launch of the program, made ready, and adds to its
// error which kernel and operation that was. do waits for the launch.
func (r *runner) each(do func(l *ready) error) error {
	for i := range r.steps {
		for _, l := range r.launches(i) {
			if err := r.b.alone(l, do); err != nil {
				return r.fault(i, l, err)
			}
		}
	}
	return nil
}

// fault adds the kernel and the operation to an error.
func (r *runner) fault(step int, l launch, err error) error {
	return fmt.Errorf("kernel %s.%s of operation %d, %s: %w", l.module, l.name, step, opName(&r.program.Steps[step]), err)
}

// waited starts a launch and waits until it is done.
func (r *runner) waited(l *ready) error {
	if err := l.start(r.b.compute); err != nil {
		return err
	}
	return r.b.compute.Synchronize()
}

// launches returns what a step runs: the packing that it is the first to want, and
// its operation.
func (r *runner) launches(step int) []launch {
	w := &r.steps[step]
	var all []launch
	for _, c := range w.copies {
		all = append(all, c.pixels.pack(r.piece(c.piece), r.values[c.value].at))
	}
	return append(all, w.kernel.launches(r.operands(step))...)
}

// operands returns where the arrays of a step lie.
func (r *runner) operands(step int) operands {
	s, w := &r.program.Steps[step], &r.steps[step]
	o := operands{out: r.values[s.Output].at}
	if w.result != none {
		o.out = r.piece(w.result)
	}
	for j, id := range w.inputs {
		o.in = append(o.in, r.values[id].at)
		o.packed = append(o.packed, r.piece(w.packed[j]))
	}
	if s.Work.Len > 0 {
		o.work = r.arena.plus(s.Work.At)
	}
	return o
}

// piece returns where a piece of the arena lies; 0 of none.
func (r *runner) piece(i int) pointer {
	if i == none {
		return 0
	}
	return r.arena.plus(r.program.Piece(i).At)
}

// RunTimed implements engine.Runner: launches are started one operation at a
// time, between events.
func (r *runner) RunTimed(report func(s *engine.Step, d time.Duration)) error {
	if r.running {
		return errors.New("cuda: timed run: the run before was not waited for")
	}
	times := make([]time.Duration, len(r.steps))
	err := r.b.device.Do(func() error {
		if err := r.arrange(); err != nil {
			return err
		}
		clock, err := newClock(r.b)
		if err != nil {
			return err
		}
		for i := range r.steps {
			took, err := r.timeStep(i, clock)
			if err != nil {
				return errors.Join(err, clock.close())
			}
			times[i] = took
		}
		return errors.Join(clock.close(), r.lanes.download())
	})
	if err != nil {
		return fmt.Errorf("cuda: timed run: %w", err)
	}
	r.running = true
	for i, took := range times {
		report(&r.program.Steps[i], took)
	}
	return r.Wait()
}

// timeStep runs one step and returns the time that the device took for it.
func (r *runner) timeStep(i int, c *clock) (time.Duration, error) {
	var all []*ready
	for _, l := range r.launches(i) {
		p, err := r.b.modules.prepare(l)
		if err != nil {
			return 0, r.fault(i, l, err)
		}
		all = append(all, p)
	}
	maps, err := r.b.place(all)
	if err != nil {
		return 0, err
	}
	took, err := c.time(func() error {
		for _, l := range all {
			if err := l.start(r.b.compute); err != nil {
				return r.fault(i, l.launch, err)
			}
		}
		return nil
	})
	return took, errors.Join(err, r.b.free(maps))
}

// clock measures time on the compute stream.
type clock struct {
	stream     *driver.Stream
	start, end *driver.Event
}

func newClock(b *Backend) (*clock, error) {
	start, err := b.device.NewEvent(true)
	if err != nil {
		return nil, err
	}
	end, err := b.device.NewEvent(true)
	if err != nil {
		return nil, errors.Join(err, start.Close())
	}
	return &clock{b.compute, start, end}, nil
}

// time returns the time of what queue queues.
func (c *clock) time(queue func() error) (time.Duration, error) {
	if err := c.stream.Record(c.start); err != nil {
		return 0, err
	}
	if err := queue(); err != nil {
		return 0, err
	}
	if err := c.stream.Record(c.end); err != nil {
		return 0, err
	}
	if err := c.end.Synchronize(); err != nil {
		return 0, err
	}
	return c.end.Since(c.start)
}

func (c *clock) close() error { return errors.Join(c.start.Close(), c.end.Close()) }

// Close implements engine.Runner.
func (r *runner) Close() error {
	err := r.b.device.Synchronize()
	for _, g := range r.graphs {
		err = errors.Join(err, r.b.closeRecorded(g))
	}
	r.graphs, r.current = nil, nil
	err = errors.Join(err, r.lanes.close(), r.b.free(r.arena))
	r.arena = 0
	if err != nil {
		return fmt.Errorf("cuda: give a program's memory back: %w", err)
	}
	return nil
}
