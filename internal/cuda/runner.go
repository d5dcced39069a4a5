//go:build gpu

package cuda

import (
	"errors"
	"fmt"
	"iter"
	"os"

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
	replay  *recorded // the graph of the run; nil if its launches were waited for
}

// NewRunner implements engine.Executor.
func (b *Backend) NewRunner(p *engine.Program) (engine.Runner, error) {
	s, err := b.storage(p)
	if err != nil {
		return nil, err
	}
	r := &runner{b: b, program: p, steps: s.steps, values: make([]bound, p.NumValues()), stale: true}
	if err := r.allocate(); err != nil {
		return nil, errors.Join(b.failed("prepare a program", err), r.Close())
	}
	return r, nil
}

// allocate allocates the arena and the memory of staging.
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
		return r.b.failed("run", err)
	}
	r.running = true
	return nil
}

// Prefetch implements engine.Prefetcher.
func (r *runner) Prefetch() error {
	if r.stale || r.seen != r.b.mirrors.version() {
		return nil // addresses may change: Start uploads
	}
	return r.b.failed("upload inputs", r.b.device.Do(r.lanes.upload))
}

// Wait implements engine.Runner.
func (r *runner) Wait() error {
	if !r.running {
		return errors.New("cuda: wait: no run was started")
	}
	r.running = false
	if err := r.b.compute.Synchronize(); err != nil {
		return r.b.failed("run", r.blame(err))
	}
	r.b.settled()
	for _, k := range r.lanes.outputs {
		k.deliver()
	}
	return nil
}

// blame adds to the error of a run how far the run had come.
func (r *runner) blame(err error) error {
	if r.replay == nil || !lost(err) {
		return fmt.Errorf("%s: %w", r.extent(), err)
	}
	if !r.b.trails {
		return fmt.Errorf("an unknown kernel of %s: %w; with %s=1 in the environment kernels leave a trail, and with %s=1 every kernel is waited for",
			r.extent(), err, trailVariable, checkVariable)
	}
	l := r.replay.trail.last()
	if l == nil {
		return fmt.Errorf("before the first kernel of %s: %w", r.extent(), err)
	}
	return fmt.Errorf("%s, or one before it, of %s: %w; with %s=1 in the environment every kernel is waited for, which leaves no doubt",
		r.where(*l), r.extent(), err, checkVariable)
}

// extent names the program by its first and last operation.
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

// run queues the program on the compute stream.
func (r *runner) run() error {
	if !r.checked || r.b.always {
		r.replay = nil
		if err := r.each(r.sequence(), r.waited); err != nil {
			return err
		}
		r.checked = true
		return nil
	}
	g, err := r.graph()
	if err != nil {
		return err
	}
	r.replay = g
	if err := g.replay(r.b.compute); err != nil {
		return r.blame(err)
	}
	return nil
}

// sequence returns what computes the program, in order: first what makes inputs,
// which is of no step, then the steps.
func (r *runner) sequence() iter.Seq[placed] {
	return func(yield func(placed) bool) {
		for l := range r.feeds() {
			if !yield(l) {
				return
			}
		}
		for i := range r.steps {
			for _, l := range r.launches(i) {
				if !yield(placed{l, i}) {
					return
				}
			}
		}
	}
}

// each calls do for launches, made ready, and adds to its error which kernel and
// operation that was.
func (r *runner) each(launches iter.Seq[placed], do func(l *ready) error) error {
	for l := range launches {
		if err := r.b.alone(l.launch, do); err != nil {
			return r.fault(l, err)
		}
	}
	return nil
}

// fault adds the kernel and the operation to an error.
func (r *runner) fault(l placed, err error) error { return fmt.Errorf("%s: %w", r.where(l), err) }

// where names the kernel and the operation of a launch.
func (r *runner) where(l placed) string {
	if l.step == noStep {
		return fmt.Sprintf("kernel %s of an input", l.kernelName())
	}
	return fmt.Sprintf("kernel %s of operation %d, %s", l.kernelName(), l.step, opName(&r.program.Steps[l.step]))
}

// waited starts a launch and waits until it is done.
func (r *runner) waited(l *ready) error {
	if err := l.start(r.b.compute); err != nil {
		return err
	}
	return r.b.compute.Synchronize()
}

// launches returns the launches of a step.
func (r *runner) launches(step int) []launch {
	s := &r.program.Steps[step]
	o := operands{out: r.values[s.Output].at}
	if s.Work.Len > 0 {
		o.work = r.arena.plus(s.Work.At)
	}
	return r.steps[step].launches(o, func(id int) pointer { return r.values[id].at }, r.piece)
}

// piece returns where a piece of the arena lies; 0 of none.
func (r *runner) piece(i int) pointer {
	if i == none {
		return 0
	}
	return r.arena.plus(r.program.Piece(i).At)
}

// Close implements engine.Runner.
func (r *runner) Close() error {
	err := r.b.device.Synchronize()
	for _, g := range r.graphs {
		err = errors.Join(err, r.b.closeRecorded(g))
	}
	r.graphs, r.current = nil, nil
	err = errors.Join(err, r.lanes.close(), r.b.free(r.arena), r.freeFeeds())
	r.arena = 0
	return r.b.failed("give a program's memory back", err)
}
