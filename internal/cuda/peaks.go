//go:build gpu

package cuda

import (
	"errors"
	"math"
	"time"

	"edm/internal/engine"
)

// How a peak is measured: the fastest of several windows, with as many blocks as
// the multiprocessors take at once.
const (
	peakThreads = 256
	peakBlocks  = 4 // a multiprocessor
	peakWindow  = 2 * time.Millisecond
	peakWindows = 5
	// copyCaches is the size of the arrays that are copied, in second-level caches:
	// what is read was not left there by the copy before.
	copyCaches = 4
)

// peakLoops are the kernels that multiply in registers, with the operations of a
// thread's turn, counting a multiply and an add as two.
var peakLoops = []struct {
	kernel string
	flops  int
}{
	fp32: {"peak_fp32", 2 * 16},
	tf32: {"peak_tf32", 8 * 2 * 16 * 8 * 8 / 32},
	bf16: {"peak_bf16", 8 * 2 * 16 * 8 * 16 / 32},
}

var _ engine.Meter = (*Backend)(nil)

// Peaks implements engine.Meter: products with the multiply-adds and mma
// instructions that every supported device has, and a copy within its memory.
func (b *Backend) Peaks() (engine.Peaks, error) {
	p := engine.Peaks{Products: map[string]float64{}}
	err := b.device.Do(func() error {
		for precision, name := range Precisions() {
			var err error
			if p.Products[name], err = b.productPeak(precision); err != nil {
				return err
			}
		}
		var err error
		p.Copy, err = b.copyPeak()
		return err
	})
	p.Product = p.Products[b.precision.suffix()]
	return p, b.failed("measure the device's peaks", err)
}

// productPeak returns the operations a second of one of the peakLoops.
func (b *Backend) productPeak(precision int) (rate float64, err error) {
	blocks := peakBlocks * b.device.Info().Multiprocessors
	y, err := b.alloc("the measurement of a peak", 4*int64(blocks*peakThreads))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, b.free(y)) }()
	loop := peakLoops[precision]
	for turns := 16; ; turns *= 2 {
		took, err := b.fastest(peakLaunch(loop.kernel, blocks, y, int32(turns), float32(0.5)))
		if err != nil {
			return 0, err
		}
		if took >= peakWindow || turns > math.MaxInt32/4 {
			return float64(loop.flops) * float64(turns) * float64(blocks*peakThreads) / took.Seconds(), nil
		}
	}
}

// copyPeak returns the bytes a second that a copy reads and writes.
func (b *Backend) copyPeak() (rate float64, err error) {
	info := b.device.Info()
	n := copyCaches * max(info.L2, 1<<20) / 4
	xy, err := b.alloc("the measurement of a copy", 2*4*int64(n))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, b.free(xy)) }()
	if err := b.compute.Fill(uint64(xy), 0, 2*int64(n)); err != nil {
		return 0, err
	}
	took, err := b.fastest(peakLaunch("peak_copy", peakBlocks*info.Multiprocessors, xy, xy.plus(n), int64(n)))
	return 2 * 4 * float64(n) / took.Seconds(), err
}

// peakLaunch launches a kernel of peaks.cu.
func peakLaunch(name string, blocks int, args ...any) launch {
	return launch{module: "peaks", name: name, grid: [3]int{blocks, 1, 1}, block: [3]int{peakThreads, 1, 1}, args: args}
}

// fastest returns the least time that a launch takes; the first does not count.
func (b *Backend) fastest(l launch) (took time.Duration, err error) {
	p, err := b.modules.prepare(l, 0)
	if err != nil {
		return 0, err
	}
	c, err := newClock(b)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	start := func() error { return p.start(b.compute) }
	if err := start(); err != nil {
		return 0, err
	}
	took = math.MaxInt64
	for range peakWindows {
		t, err := c.time(start)
		if err != nil {
			return 0, err
		}
		took = min(took, max(t, time.Nanosecond))
	}
	return took, nil
}
