package cpu

import (
	"math"
	"sync"
	"time"
)

// fmaLoop is a loop of multiply-adds in registers, in independent chains.
type fmaLoop struct {
	// run takes turns above 0 and computes a = a*x + y in every lane of every
	// chain, once a turn, from a = 0. It returns the sum of a over chains.
	run           func(turns int, x, y float32) float32
	chains, lanes int
}

// flops returns the operations of a turn, counting multiply and add.
func (l fmaLoop) flops() int { return 2 * l.chains * l.lanes }

const (
	peakWindow  = 8 * time.Millisecond // a loop cannot be interrupted: the collector waits no longer than this
	peakWindows = 12
)

// PeakFMA returns the most operations a second that a number of threads
// together reach with the multiply-add instruction of the kernels that New
// chooses, counting a multiply and an add as two: the fastest of several short
// windows in which all threads run at once, about a tenth of a second in all.
// No product without a faster algorithm can do more. Threads above GOMAXPROCS
// take turns.
func PeakFMA(threads int) float64 {
	loop := fmaLoopOf(implementations()[0].name)
	turns := loop.turns(peakWindow)
	best := time.Duration(math.MaxInt64)
	for range peakWindows {
		best = min(best, loop.time(max(threads, 1), turns))
	}
	return float64(max(threads, 1)*turns*loop.flops()) / best.Seconds()
}

// turns returns about how many turns fill a window on one thread.
func (l fmaLoop) turns(window time.Duration) int {
	for turns := 1 << 10; ; turns *= 2 {
		if t := l.time(1, turns); t >= window/4 {
			return max(1, int(float64(turns)*window.Seconds()/t.Seconds()))
		}
	}
}

// time returns how long the threads take for so many turns each.
func (l fmaLoop) time(threads, turns int) time.Duration {
	var done sync.WaitGroup
	start := time.Now()
	for range threads - 1 {
		done.Go(func() { l.run(turns, 0.5, 0.5) })
	}
	l.run(turns, 0.5, 0.5)
	done.Wait()
	return time.Since(start)
}

// portableFMALoop is the loop of the kernels in plain Go; the compiler fuses
// its operations where the processor's baseline can.
func portableFMALoop() fmaLoop {
	return fmaLoop{chains: 8, lanes: 1, run: func(turns int, x, y float32) float32 {
		var a, b, c, d, e, f, g, h float32
		for range turns {
			a, b, c, d = a*x+y, b*x+y, c*x+y, d*x+y
			e, f, g, h = e*x+y, f*x+y, g*x+y, h*x+y
		}
		return ((a + b) + (c + d)) + ((e + f) + (g + h))
	}}
}
