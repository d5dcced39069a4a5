//go:build gpu

package driver

import (
	"errors"
	"sync"
	"testing"
)

func TestThreadKeepsItsThread(t *testing.T) {
	th := newThread()
	defer th.stop()
	for range 50 {
		var id uintptr
		if err := th.do(func() error { id = threadID(); return nil }); err != nil {
			t.Fatal(err)
		}
		if id != th.id {
			t.Fatalf("ran on thread %x, want %x", id, th.id)
		}
	}
	if threadID() == th.id {
		t.Fatal("the test runs on the device's thread")
	}
}

func TestThreadAnswers(t *testing.T) {
	th := newThread()
	defer th.stop()
	want := errors.New("what f returned")
	if err := th.do(func() error { return want }); err != want {
		t.Errorf("got %v", err)
	}
	// A call inside a call runs at once.
	inner := false
	err := th.do(func() error {
		return th.do(func() error { inner = true; return nil })
	})
	if err != nil || !inner {
		t.Errorf("a call inside a call: %v, ran %t", err, inner)
	}
}

// Goroutines take turns, so that what they share needs no lock.
func TestThreadTakesTurns(t *testing.T) {
	th := newThread()
	defer th.stop()
	var group sync.WaitGroup
	count := 0
	for range 8 {
		group.Go(func() {
			for range 200 {
				if err := th.do(func() error { count++; return nil }); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if count != 1600 {
		t.Errorf("counted %d, want 1600", count)
	}
}

func TestThreadStops(t *testing.T) {
	th := newThread()
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for {
				ran := false
				if err := th.do(func() error { ran = true; return nil }); err != nil {
					if err != ErrClosed || ran {
						t.Errorf("got %v, ran %t", err, ran)
					}
					return
				}
			}
		})
	}
	th.stop()
	th.stop()
	group.Wait()
	if err := th.do(func() error { return nil }); err != ErrClosed {
		t.Errorf("after stop: %v", err)
	}
}
