//go:build gpu

package cuda

import (
	"errors"
	"fmt"
	"time"

	"edm/internal/cuda/driver"
	"edm/internal/engine"
)

// RunTimed implements engine.Runner: launches are started one operation at a
// time, between events.
func (r *runner) RunTimed(report func(s *engine.Step, d time.Duration)) error {
	if r.running {
		return errors.New("cuda: timed run: the run before was not waited for")
	}
	times := make([]time.Duration, len(r.steps))
	r.replay = nil
	err := r.b.device.Do(func() error {
		if err := r.arrange(); err != nil {
			return err
		}
		clock, err := newClock(r.b)
		if err != nil {
			return err
		}
		if err := r.each(r.feeds(), r.waited); err != nil {
			return errors.Join(err, clock.close())
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
		return r.b.failed("timed run", err)
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
		p, err := r.b.modules.prepare(l, 0)
		if err != nil {
			return 0, r.fault(placed{l, i}, err)
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
				return err
			}
		}
		return nil
	})
	if err != nil { // kernels that were started read the maps
		err = errors.Join(err, r.b.compute.Synchronize())
	}
	if err = errors.Join(err, r.b.free(maps)); err != nil {
		return 0, fmt.Errorf("operation %d, %s: %w", i, opName(&r.program.Steps[i]), err)
	}
	return took, nil
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

// time returns the time of the work that queue queues.
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
