package benchmark

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"slices"
	"time"

	"edm/internal/cpu"
	"edm/internal/engine"
	"edm/internal/sysmem"
	"edm/model"
)

// Options say how long a measurement takes.
type Options struct {
	Rounds int           // timings of each mode
	Length time.Duration // of one timing, about; at least one step
}

// Speed is how fast one mode ran.
type Speed struct {
	Plan
	Rounds  []float64 // img/s of every timing
	ImgPerS float64   // their median
	Best    float64   // and the highest: what other programs took least of
	GFLOPS  float64   // of ImgPerS
	Share   float64   // of it in the peak; above 1 by an algorithm with fewer operations
}

// Result is a measurement of a denoiser on one machine.
type Result struct {
	Parameters     int
	Batch, Threads int
	Instructions   string  // instruction set of the kernels
	FMAPeak        float64 // GFLOP/s of register-only multiply-adds on Threads, on a GPU of register-only products in its precision, in the same run
	Train, Forward Speed
	Peaks          engine.Peaks // of a GPU
	Operations     []Operation  // of a training step on a GPU, slowest first
	PeakRSSMiB     float64      // most memory that the process had resident up to the end of training; 0 where the system does not say
}

// Measure times training steps and evaluations of a denoiser on a device.
// Training comes first and gives its memory back: in a process that did nothing
// larger before, PeakRSSMiB is that of training alone. It stops between two
// steps once ctx is done.
func Measure(ctx context.Context, c Config, d *model.Device, o Options) (Result, error) {
	if o.Rounds < 1 || o.Length < 0 {
		return Result{}, fmt.Errorf("benchmark: %d rounds of %v, want 1 or more of at least 0 s", o.Rounds, o.Length)
	}
	r := Result{Batch: c.Batch, Threads: 1, Instructions: "portable"}
	switch b := d.Backend().(type) {
	case *cpu.Backend:
		r.Threads, r.Instructions = b.Threads(), b.Instructions()
	case engine.Executor: // the processor's peak says nothing of it
		r.Threads, r.Instructions = 0, d.String()
	}
	if err := r.meter(d); err != nil {
		return r, err
	}
	for _, m := range []struct {
		mode  Mode
		speed *Speed
	}{{Training, &r.Train}, {Forward, &r.Forward}} {
		if err := r.measure(ctx, c, d, o, m.mode, m.speed); err != nil {
			return r, err
		}
		if peak, ok := sysmem.PeakResident(); ok && m.mode == Training {
			r.PeakRSSMiB = float64(peak) / (1 << 20)
		}
		debug.FreeOSMemory()
		if err := r.meter(d); err != nil {
			return r, err
		}
	}
	if r.FMAPeak > 0 {
		r.Forward.Share, r.Train.Share = r.Forward.GFLOPS/r.FMAPeak, r.Train.GFLOPS/r.FMAPeak
	}
	rate(r.Operations, r.Peaks)
	return r, nil
}

// measure times one mode with a workload of its own.
func (r *Result) measure(ctx context.Context, c Config, d *model.Device, o Options, mode Mode, s *Speed) (err error) {
	w, err := New(c, d)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	if s.Plan, err = w.Plan(mode); err != nil {
		return err
	}
	step := func() error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return w.Run(mode)
	}
	if s.Rounds, err = rates(step, c.Batch, o); err != nil {
		return err
	}
	s.ImgPerS, s.Best = median(s.Rounds), slices.Max(s.Rounds)
	s.GFLOPS = s.ImgPerS * s.GFLOP
	r.Parameters = w.model.Layout().Count
	if _, ok := d.Backend().(engine.Meter); ok && mode == Training {
		r.Operations, err = w.operations()
	}
	return err
}

// rates returns images a second of each round. The step before makes the
// program and touches its memory; the next says how many fill a round, and is
// the first round if it fills one.
func rates(step func() error, batch int, o Options) ([]float64, error) {
	if err := step(); err != nil {
		return nil, err
	}
	once, err := timed(step, 1)
	if err != nil {
		return nil, err
	}
	var all []float64
	if once >= o.Length.Seconds() {
		all = append(all, float64(batch)/once)
	}
	steps := max(1, int(math.Round(o.Length.Seconds()/once)))
	for len(all) < o.Rounds {
		seconds, err := timed(step, steps)
		if err != nil {
			return nil, err
		}
		all = append(all, float64(steps*batch)/seconds)
	}
	return all, nil
}

// timed returns the seconds that a number of steps take, above 0.
func timed(step func() error, steps int) (float64, error) {
	start := time.Now()
	for range steps {
		if err := step(); err != nil {
			return 0, err
		}
	}
	return max(time.Since(start), time.Nanosecond).Seconds(), nil
}

// median returns the middle value, the lower of two.
func median(v []float64) float64 {
	sorted := slices.Sorted(slices.Values(v))
	return sorted[(len(sorted)-1)/2]
}
