//go:build gpu

package cuda

import (
	"errors"
	"fmt"
	"math"
	"sync"

	"edm/internal/cuda/driver"
	"edm/internal/engine"
)

// controls is the number of constants that adamLaunch reads from device memory.
const controls = 9

// optimiser is the device memory of the passes over flat buffers.
type optimiser struct {
	mu       sync.Mutex // one pass at a time
	control  pointer    // [controls] float32
	result   pointer    // a float64
	partial  pointer    // partials float64
	partials int
	pinned   *driver.Pinned // of control, then of result
	sent     *driver.Event  // control was copied from pinned
	checked  map[string]bool
}

// resultAt is the place of the result in page-locked memory, in bytes.
const resultAt = 64

func (o *optimiser) init(b *Backend) error {
	o.checked = map[string]bool{}
	var err error
	if o.control, err = b.alloc("the optimiser", resultAt); err != nil {
		return err
	}
	if o.result, err = b.alloc("the optimiser", 8); err != nil {
		return err
	}
	if o.sent, err = b.device.NewEvent(false); err != nil {
		return err
	}
	o.pinned, err = b.allocHost("the optimiser", b.device.AllocPinned, resultAt+8)
	return err
}

// Adam implements engine.Updater.
func (b *Backend) Adam(u engine.Update, w, ema, m, v, g []float32) error {
	o := &b.flat
	o.mu.Lock()
	defer o.mu.Unlock()
	err := b.device.Do(func() error {
		at, err := b.counterparts(len(g), w, ema, m, v, g)
		if err != nil {
			return err
		}
		if err := b.sendControl(u); err != nil {
			return err
		}
		return b.pass("Adam", adamLaunch(at[0], at[1], at[2], at[3], at[4], o.control, len(g)))
	})
	return b.failed("Adam", err)
}

// counterparts returns where flat buffers of n elements lie on the device.
func (b *Backend) counterparts(n int, flat ...[]float32) ([]pointer, error) {
	at := make([]pointer, len(flat))
	for i, f := range flat {
		if len(f) < n {
			return nil, fmt.Errorf("buffer %d has %d elements, want %d", i, len(f), n)
		}
		var ok bool
		if at[i], ok = b.mirrors.find(f[:n]); !ok && n > 0 {
			return nil, fmt.Errorf("buffer %d of %d elements: %w", i, n, errNotMirrored)
		}
	}
	return at, nil
}

// sendControl writes an update's constants to the device, where the kernel reads
// them.
func (b *Backend) sendControl(u engine.Update) error {
	o := &b.flat
	if err := o.sent.Synchronize(); err != nil { // the last ones are on their way out
		return err
	}
	c1 := 1 - math.Pow(u.Beta1, float64(u.Step))
	c2 := 1 - math.Pow(u.Beta2, float64(u.Step))
	copy(driver.View[float32](o.pinned), []float32{
		float32(u.GradScale), float32(u.Beta1), float32(1 - u.Beta1), float32(u.Beta2), float32(1 - u.Beta2),
		float32(u.LR / c1), float32(1 / math.Sqrt(c2)), float32(u.Eps), float32(u.EMABeta),
	})
	if err := b.compute.Upload(uint64(o.control), o.pinned, 0, 4*controls); err != nil {
		return err
	}
	return b.compute.Record(o.sent)
}

// pass queues launches over flat buffers. The first of each kind is waited for,
// so that a fault is known by its kernel.
func (b *Backend) pass(kind string, launches []launch) error {
	for _, l := range launches {
		p, err := b.modules.prepare(l, 0)
		if err == nil {
			err = p.start(b.compute)
		}
		switch {
		case err != nil:
		case b.always || !b.flat.checked[kind]:
			err = b.compute.Synchronize()
		default:
			b.loose.Store(&l)
		}
		if err != nil {
			return fmt.Errorf("kernel %s: %w", l.kernelName(), err)
		}
	}
	b.flat.checked[kind] = true
	return nil
}

// SumSquares implements engine.Updater: in float64, in an order that depends on
// the length alone.
func (b *Backend) SumSquares(x []float32) (float64, error) {
	if len(x) == 0 {
		return 0, nil
	}
	o := &b.flat
	o.mu.Lock()
	defer o.mu.Unlock()
	err := b.device.Do(func() error {
		at, err := b.counterparts(len(x), x)
		if err != nil {
			return err
		}
		if err := b.reservePartials(sumSquaresPartials(len(x))); err != nil {
			return err
		}
		if err := b.pass("SumSquares", sumSquaresLaunches(at[0], o.partial, o.result, len(x))); err != nil {
			return err
		}
		if err := b.compute.Download(o.pinned, resultAt, 8, uint64(o.result)); err != nil {
			return err
		}
		return b.compute.Synchronize()
	})
	if err != nil {
		return 0, b.failed("sum of squares", err)
	}
	b.settled()
	return driver.View[float64](o.pinned)[resultAt/8], nil
}

// reservePartials makes room for n partial sums.
func (b *Backend) reservePartials(n int) error {
	o := &b.flat
	if n <= o.partials {
		return nil
	}
	at, err := b.alloc("the partial sums of a norm", 8*int64(n))
	if err != nil {
		return err
	}
	err = errors.Join(b.compute.Synchronize(), b.free(o.partial))
	o.partial, o.partials = at, n
	return err
}

// Accumulate implements engine.Updater.
func (b *Backend) Accumulate(y, x []float32) error {
	o := &b.flat
	o.mu.Lock()
	defer o.mu.Unlock()
	err := b.device.Do(func() error {
		at, err := b.counterparts(len(x), y, x)
		if err != nil {
			return err
		}
		return b.pass("Accumulate", accumulateLaunch(at[0], at[1], len(x)))
	})
	return b.failed("accumulate", err)
}
