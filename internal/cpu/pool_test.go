package cpu

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestParallelRunsEveryChunkOnce(t *testing.T) {
	for _, threads := range []int{1, 2, 3, 8} {
		p := NewPool(threads)
		for round := range 300 {
			n := round % 37
			seen := make([]atomic.Int32, n)
			p.Parallel(n, func(chunk, worker int) {
				if worker < 0 || worker >= p.Threads() {
					t.Errorf("worker %d of %d", worker, p.Threads())
				}
				seen[chunk].Add(1)
			})
			for i := range seen {
				if c := seen[i].Load(); c != 1 {
					t.Fatalf("%d threads: chunk %d of %d ran %d times", threads, i, n, c)
				}
			}
			if round%100 == 99 {
				time.Sleep(time.Millisecond) // let the workers park
			}
		}
		p.Close()
		p.Close()
	}
}

func TestParallelGivesWorkersScratchOfTheirOwn(t *testing.T) {
	p := NewPool(4)
	defer p.Close()
	busy := make([]atomic.Bool, p.Threads())
	p.Parallel(400, func(_, worker int) {
		if !busy[worker].CompareAndSwap(false, true) {
			t.Errorf("worker %d runs two chunks at a time", worker)
		}
		runtime.Gosched()
		busy[worker].Store(false)
	})
}

func TestParallelFromManyGoroutines(t *testing.T) {
	p := NewPool(3)
	defer p.Close()
	var total atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				p.Parallel(9, func(int, int) { total.Add(1) })
			}
		})
	}
	wg.Wait()
	if total.Load() != 4*50*9 {
		t.Errorf("%d chunks ran, want %d", total.Load(), 4*50*9)
	}
}

func TestParallelRaisesPanicsAndGoesOn(t *testing.T) {
	for _, threads := range []int{1, 3} {
		p := NewPool(threads)
		for chunk := range 20 {
			func() {
				defer func() {
					if v := recover(); v != "chunk failed" {
						t.Errorf("recovered %v, want the panic of the chunk", v)
					}
				}()
				p.Parallel(20, func(c, _ int) {
					if c == chunk {
						panic("chunk failed")
					}
				})
				t.Error("Parallel returned after a panic")
			}()
		}
		var ran []int
		var mu sync.Mutex
		p.Parallel(5, func(c, _ int) { mu.Lock(); ran = append(ran, c); mu.Unlock() })
		slices.Sort(ran)
		if !slices.Equal(ran, []int{0, 1, 2, 3, 4}) {
			t.Errorf("after a panic chunks %v ran", ran)
		}
		p.Close()
	}
}

func TestParallelAllocatesNothing(t *testing.T) {
	p := NewPool(3)
	defer p.Close()
	f := func(int, int) {}
	if n := testing.AllocsPerRun(50, func() { p.Parallel(10, f) }); n != 0 {
		t.Errorf("%v allocations a call, want 0", n)
	}
}

func TestCloseStopsTheWorkers(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 20 {
		p := NewPool(5)
		p.Parallel(3, func(int, int) {})
		p.Close()
	}
	// A worker that told Close it is done may still be on its last instruction.
	deadline := time.Now().Add(5 * time.Second)
	for runtime.NumGoroutine() > before {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
		time.Sleep(time.Millisecond)
	}
}

// More threads than processors still run every chunk once, and hand results
// over.
func TestParallelWithMoreThreadsThanProcessors(t *testing.T) {
	p := NewPool(4 * runtime.GOMAXPROCS(0))
	defer p.Close()
	sums := make([]int, 100)
	for round := range 500 {
		p.Parallel(len(sums), func(chunk, _ int) { sums[chunk] += chunk })
		for i, s := range sums {
			if s != i*(round+1) {
				t.Fatalf("round %d: chunk %d ran %d times", round, i, s/max(i, 1))
			}
		}
	}
}

// An idle pool sleeps: every worker parks soon after the last job, whether it
// looks for more for a while or not, and comes back when one is posted.
func TestIdleWorkersPark(t *testing.T) {
	p := NewPool(2 * runtime.GOMAXPROCS(0))
	defer p.Close()
	for range 3 {
		p.Parallel(1000, func(int, int) {})
		deadline := time.Now().Add(10 * time.Second)
		for _, w := range p.workers {
			for !w.parked.Load() {
				if time.Now().After(deadline) {
					t.Fatal("a worker of an idle pool does not sleep")
				}
				time.Sleep(time.Millisecond)
			}
		}
	}
}

// BenchmarkParallel is what handing work out costs: the time of two chunks of
// 20 us beyond that of one, after the caller was busy by itself for a while.
func BenchmarkParallel(b *testing.B) {
	const chunk = 20 * time.Microsecond
	busy := func(d time.Duration) {
		for start := time.Now(); time.Since(start) < d; {
		}
	}
	f := func(int, int) { busy(chunk) }
	for _, gap := range []time.Duration{0, 5 * time.Microsecond, 50 * time.Microsecond, 150 * time.Microsecond} {
		b.Run(fmt.Sprintf("gap=%v", gap), func(b *testing.B) {
			p := NewPool(2)
			defer p.Close()
			var lost []time.Duration
			for b.Loop() {
				busy(gap)
				start := time.Now()
				p.Parallel(2, f)
				lost = append(lost, time.Since(start)-chunk)
			}
			slices.Sort(lost)
			b.ReportMetric(float64(lost[len(lost)/2]), "ns-median")
			b.ReportMetric(float64(lost[len(lost)*9/10]), "ns-90%")
		})
	}
}
