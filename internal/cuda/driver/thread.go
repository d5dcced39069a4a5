//go:build gpu

package driver

import (
	"runtime"
	"sync"
)

// thread is a goroutine locked to its operating-system thread that runs what it
// is sent. The driver's current context belongs to a thread.
type thread struct {
	calls   chan call
	closing chan struct{} // closed by stop
	ended   chan struct{} // closed when the goroutine is gone
	once    sync.Once
	id      uintptr // of the operating-system thread
}

// call is a closure to run and where its answer goes.
type call struct {
	f      func() error
	answer chan error // with room for one
}

// newThread starts the goroutine.
func newThread() *thread {
	t := &thread{
		calls:   make(chan call),
		closing: make(chan struct{}),
		ended:   make(chan struct{}),
	}
	started := make(chan uintptr)
	go t.loop(started)
	t.id = <-started
	return t
}

// loop runs closures until stop. The goroutine stays locked, so that its thread
// ends with it and no other goroutine meets the thread's context.
func (t *thread) loop(started chan<- uintptr) {
	runtime.LockOSThread()
	defer close(t.ended)
	started <- threadID()
	for {
		select {
		case c := <-t.calls:
			c.answer <- c.f()
		case <-t.closing:
			return
		}
	}
}

// do runs f on the thread and returns its error, or ErrClosed.
func (t *thread) do(f func() error) error {
	select {
	case <-t.closing:
		return ErrClosed
	default:
	}
	if threadID() == t.id {
		return f()
	}
	c := call{f, make(chan error, 1)}
	select {
	case t.calls <- c:
	case <-t.closing:
		return ErrClosed
	case <-t.ended:
		return ErrClosed
	}
	select {
	case err := <-c.answer:
		return err
	case <-t.ended:
	}
	// Both may be ready: the last call's answer, and the end.
	select {
	case err := <-c.answer:
		return err
	default:
		return ErrClosed
	}
}

// stop ends the goroutine after its present call.
func (t *thread) stop() { t.once.Do(func() { close(t.closing) }) }
