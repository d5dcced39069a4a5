package cpu

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Pool is a fixed set of worker goroutines. The goroutine that calls Parallel
// is worker 0, so a Pool of one thread has no goroutines at all.
type Pool struct {
	mu      sync.Mutex // one Parallel at a time
	workers []*worker
	closed  bool

	// The job. f and n are written only while open is false and active is zero,
	// and read only between active.Add(1) and active.Add(-1) with open true.
	f      func(chunk, worker int)
	n      int
	open   atomic.Bool
	active atomic.Int32
	next   atomic.Int64
	epoch  atomic.Uint64 // counts jobs; idle workers watch it

	fault atomic.Pointer[fault]
	done  sync.WaitGroup
}

// fault is a panic of a chunk.
type fault struct{ value any }

type worker struct {
	parked atomic.Bool
	wake   chan struct{}
	keen   bool // looks for a new job for a while before it sleeps
}

// patience is how long an idle worker looks for a new job before it sleeps. It
// is longer than what a program does on one thread between two of its parallel
// steps, since to wake a sleeping thread costs tens of microseconds, and short
// beside the time of a run, so that an idle pool costs next to nothing.
const patience = 200 * time.Microsecond

// NewPool returns a pool of the given number of threads; less than 1 means
// GOMAXPROCS.
func NewPool(threads int) *Pool {
	if threads < 1 {
		threads = runtime.GOMAXPROCS(0)
	}
	p := &Pool{}
	for id := 1; id < threads; id++ {
		// One that has no processor to itself would look on at another's expense.
		w := &worker{wake: make(chan struct{}, 1), keen: id < runtime.GOMAXPROCS(0)}
		p.workers = append(p.workers, w)
	}
	p.done.Add(len(p.workers))
	for i, w := range p.workers {
		go p.serve(w, i+1)
	}
	return p
}

// Threads returns the number of threads: worker numbers are below it.
func (p *Pool) Threads() int { return len(p.workers) + 1 }

// Parallel calls f for every chunk from 0 to n-1 and returns when all are done.
// Chunks are claimed in order by whichever thread is free; worker tells f which
// scratch memory is its own. A panic of f stops the handing out of chunks and
// is raised again here. f must not call Parallel of the same pool.
func (p *Pool) Parallel(n int, f func(chunk, worker int)) {
	if n <= 0 {
		return
	}
	if len(p.workers) == 0 || n == 1 {
		for i := range n {
			f(i, 0)
		}
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		panic("cpu: Parallel on a closed pool")
	}
	p.f, p.n = f, n
	p.next.Store(0)
	p.open.Store(true)
	p.epoch.Add(1)
	for _, w := range p.workers[:min(len(p.workers), n-1)] {
		if w.parked.CompareAndSwap(true, false) {
			w.wake <- struct{}{}
		}
	}
	p.claim(0)
	p.open.Store(false)
	for p.active.Load() != 0 {
		runtime.Gosched()
	}
	if bad := p.fault.Swap(nil); bad != nil {
		panic(bad.value)
	}
}

// Close stops the workers and waits for them.
func (p *Pool) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	p.closed = true
	for _, w := range p.workers {
		close(w.wake)
	}
	p.epoch.Add(1)
	p.done.Wait()
}

// claim runs chunks until none is left.
func (p *Pool) claim(worker int) {
	defer p.recover()
	n := int64(p.n)
	for {
		i := p.next.Add(1) - 1
		if i >= n {
			return
		}
		p.f(int(i), worker)
	}
}

// recover keeps the first panic and leaves no chunk to claim.
func (p *Pool) recover() {
	if v := recover(); v != nil {
		p.fault.CompareAndSwap(nil, &fault{v})
		p.next.Store(int64(p.n))
	}
}

// serve is the life of worker number id.
func (p *Pool) serve(w *worker, id int) {
	defer p.done.Done()
	seen := uint64(0)
	for {
		if !p.await(w, seen) {
			return
		}
		seen = p.epoch.Load()
		p.active.Add(1)
		if p.open.Load() {
			p.claim(id)
		}
		p.active.Add(-1)
	}
}

// await returns true when a job after number seen was posted, false when the
// pool is closed.
func (p *Pool) await(w *worker, seen uint64) bool {
	if w.keen && p.look(seen) {
		return p.stillOpen(w)
	}
	w.parked.Store(true)
	if p.epoch.Load() != seen && w.parked.CompareAndSwap(true, false) {
		return p.stillOpen(w)
	}
	_, ok := <-w.wake
	return ok
}

// look watches for a job after number seen for as long as patience lasts, and
// reports whether there is one. Other goroutines get their turn meanwhile.
func (p *Pool) look(seen uint64) bool {
	for start := time.Now(); time.Since(start) < patience; runtime.Gosched() {
		for range 64 { // longer would keep others waiting, shorter is all Gosched
			if p.epoch.Load() != seen {
				return true
			}
		}
	}
	return false
}

// stillOpen reports whether the wake channel has not been closed.
func (p *Pool) stillOpen(w *worker) bool {
	select {
	case _, ok := <-w.wake:
		return ok
	default:
		return true
	}
}
