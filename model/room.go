package model

import (
	"errors"
	"fmt"

	"edm/internal/engine"
)

// machine returns a machine for a program of n images, or an error that says
// what batch would fit. The plan is compared with what is free before anything is
// allocated.
func (d *Device) machine(p *engine.Program, n int, need engine.Footprint) (*engine.Machine, error) {
	if free, ok := d.FreeMemory(); ok && need.Total() > free {
		return nil, &planError{tooLarge(n, need.Total(), free), engine.OutOfMemory{What: "a program", Planned: need.Total(), Free: free}}
	}
	machine, err := engine.NewMachine(p)
	return machine, fitting(n, need, 0, err)
}

// planError is the error of a plan that does not fit. It is an OutOfMemory, whose
// own text says no more.
type planError struct {
	error
	full engine.OutOfMemory
}

// Unwrap returns the OutOfMemory.
func (e *planError) Unwrap() error { return &e.full }

// fitting adds to an error for want of memory what batch would fit. The program
// of n images was planned to need so much, and holds a part of it already.
func fitting(n int, need engine.Footprint, held int64, err error) error {
	if err == nil { // a run that goes well allocates nothing
		return nil
	}
	var full *engine.OutOfMemory
	if !errors.As(err, &full) {
		return err
	}
	if full.Host || full.Free < 0 || need.Total() <= full.Free+held {
		// The plan does not say what would fit: there is less than it knows of.
		return fmt.Errorf("model: a batch of %d images: %w", n, advised(err))
	}
	return fmt.Errorf("%w: %w", tooLarge(n, need.Total(), full.Free+held), err)
}

// smaller is what to do where memory does not suffice and nobody can say for how
// many images it would.
const smaller = "use a smaller microbatch (--micro), batch or network, or recompute in training (--recompute-light)"

// advised adds to an error for want of memory what to do.
func advised(err error) error {
	if err == nil {
		return nil
	}
	var full *engine.OutOfMemory
	if !errors.As(err, &full) {
		return err
	}
	if full.Host {
		return fmt.Errorf("%w: end other programs, or %s", err, smaller)
	}
	return fmt.Errorf("%w: %s", err, smaller)
}

// tooLarge says what was planned for n images, what there is for them and, since
// almost all of a plan grows with the images, how many would fit.
func tooLarge(n int, need, free int64) error {
	const mib = 1 << 20
	text := fmt.Sprintf("model: a batch of %d images needs %d MiB of memory, %d MiB are free: ", n, (need+mib-1)/mib, free/mib)
	if fit := min(int(float64(n)*float64(free)/float64(need)), n-1); fit > 0 {
		text += fmt.Sprintf("use a smaller microbatch (--micro) or batch, of which about %d images would fit, or", fit)
	} else {
		text += "not one image fits: use a smaller network, or"
	}
	return errors.New(text + " recompute in training (--recompute-light)")
}

// Start begins a run, as the machine's does.
func (p *program) Start() error { return p.fitting(p.Machine.Start()) }

// Prefetch sends inputs ahead, as the machine's does.
func (p *program) Prefetch() error { return p.fitting(p.Machine.Prefetch()) }

// Wait ends a run, as the machine's does.
func (p *program) Wait() error { return p.fitting(p.Machine.Wait()) }

// RunAll runs the program, as the machine's does.
func (p *program) RunAll() error { return p.fitting(p.Machine.RunAll()) }

// fitting adds to an error of a run for want of memory what batch would fit. The
// arena is there by then.
func (p *program) fitting(err error) error { return fitting(p.n, p.need, p.need.Arena, err) }
