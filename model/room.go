package model

import (
	"errors"
	"fmt"

	"edm/internal/engine"
)

// machine returns a machine for a program of n images, or an error that names a batch
// that fits. It compares the plan with the free memory before it allocates any.
func (d *Device) machine(p *engine.Program, n int, need engine.Footprint) (*engine.Machine, error) {
	if free, ok := d.FreeMemory(); ok && need.Total() > free {
		full := &engine.OutOfMemory{What: "a program", Planned: need.Total(), Free: free}
		return nil, newMemoryError(n, need.Total(), free, full)
	}
	machine, err := engine.NewMachine(p)
	return machine, fitting(n, need, 0, err)
}

// MemoryError says that a batch needs more memory than there is.
type MemoryError struct {
	Images int   // of the batch; 0 if it is not a batch that lacks memory
	Needed int64 // bytes that were planned for it; 0 if unknown
	Free   int64 // bytes that are there for it; unknown if Needed is
	// Fit is about how many images would fit; 0 for none. It is unknown if Needed is.
	Fit int
	// Host says that the processor's page-locked memory is short, not the device's.
	Host bool
	Err  error // the failed call's error
}

// newMemoryError returns the error of a batch of n images. Almost all of a plan
// grows with the images, so Fit follows from it in proportion.
func newMemoryError(n int, need, free int64, err error) *MemoryError {
	fit := min(int(float64(n)*float64(free)/float64(need)), n-1)
	return &MemoryError{Images: n, Needed: need, Free: free, Fit: max(fit, 0), Err: err}
}

// Error names the memory that is short, and smaller choices.
func (e *MemoryError) Error() string {
	if e.Needed == 0 {
		return e.unplanned()
	}
	const mib = 1 << 20
	text := fmt.Sprintf("model: a batch of %d images needs %d MiB of memory, %d MiB are free: ", e.Images, (e.Needed+mib-1)/mib, e.Free/mib)
	if e.Fit > 0 {
		return text + fmt.Sprintf("use a smaller microbatch or batch, of which about %d images would fit, or recompute in training", e.Fit)
	}
	return text + "not one image fits: use a smaller network, or recompute in training"
}

// unplanned is Error where the plan cannot name a batch that fits.
func (e *MemoryError) unplanned() string {
	what, other := "", ""
	if e.Images > 0 {
		what = fmt.Sprintf("a batch of %d images: ", e.Images)
	}
	if e.Host {
		other = "end other programs, or "
	}
	return fmt.Sprintf("model: %s%v: %suse a smaller microbatch, batch or network, or recompute in training", what, e.Err, other)
}

// Unwrap returns the failed call's error.
func (e *MemoryError) Unwrap() error { return e.Err }

// lacking makes a MemoryError of an error for want of memory that no batch is to
// blame for.
func lacking(err error) error {
	var full *engine.OutOfMemory
	if !errors.As(err, &full) {
		return err
	}
	return &MemoryError{Host: full.Host, Err: err}
}

// fitting makes a MemoryError of an error for want of memory. The program of n
// images was planned to need so much, and holds a part of it already.
func fitting(n int, need engine.Footprint, held int64, err error) error {
	if err == nil { // a run that goes well allocates nothing
		return nil
	}
	var full *engine.OutOfMemory
	if !errors.As(err, &full) {
		return err
	}
	if full.Host || full.Free < 0 || need.Total() <= full.Free+held {
		// The plan cannot name a batch that fits: less memory is free than it assumes.
		return &MemoryError{Images: n, Host: full.Host, Err: err}
	}
	return newMemoryError(n, need.Total(), full.Free+held, err)
}

// Start begins a run, as the machine's does.
func (p *program) Start() error { return p.fitting(p.Machine.Start()) }

// Prefetch sends inputs ahead, as the machine's does.
func (p *program) Prefetch() error { return p.fitting(p.Machine.Prefetch()) }

// Wait ends a run, as the machine's does.
func (p *program) Wait() error { return p.fitting(p.Machine.Wait()) }

// RunAll runs the program, as the machine's does.
func (p *program) RunAll() error { return p.fitting(p.Machine.RunAll()) }

// fitting adds a batch that fits to the error of a run that found too little memory.
// The arena is allocated by then.
func (p *program) fitting(err error) error { return fitting(p.n, p.need, p.need.Arena, err) }
