//go:build gpu

package cuda

import (
	"errors"
	"iter"

	"edm/internal/engine"
)

// fed is an input that the device makes of what is sent for it. That is staged;
// the kernels that make the input from there are the first of the program's
// launches, captured with them, since a feed's place is fixed: seeds and image
// numbers, which change from run to run, are among what is sent.
type fed struct {
	sent   []byte  // pixels; or the bytes of draw
	draw   []int64 // seed, stream and indices of normals
	staged *staged // of the feed; nil as long as it has no place
	made   pointer // the input; 0 as long as it has no place
}

// Feed implements engine.Feeder.
func (r *runner) Feed(id int, f engine.Feed) {
	v := &r.values[id]
	if v.fed == nil {
		v.fed = &fed{}
	}
	v.fed.set(f)
	if !v.feeding {
		v.feeding, r.stale = true, true
	}
	if v.fed.staged != nil {
		v.fed.staged.host = v.fed.sent
	}
}

// set notes the feed that will be sent.
func (d *fed) set(f engine.Feed) {
	switch f := f.(type) {
	case engine.Pixels:
		d.sent = f
	case engine.Normals:
		d.draw = f.Words(d.draw)
		d.sent = bytesOf(engine.Buffer{I64: d.draw})
	}
}

// launch makes an input of n elements.
func (d *fed) launch(n int) launch {
	name, rows := "pixels", 1
	if d.draw != nil {
		name, rows = "normals", len(d.draw)-2
	}
	l := mapLaunch(name, rows, n/rows, 1, d.staged.place(), d.made, int64(n/rows))
	l.module = "feed"
	return l
}

// makePlace returns where an input of n elements is made.
func (r *runner) makePlace(d *fed, n int) (pointer, error) {
	var err error
	if d.made == 0 {
		d.made, err = r.b.alloc("a program's images and noise", 4*int64(n))
	}
	return d.made, err
}

// freeFeeds gives the places of inputs that were made back.
func (r *runner) freeFeeds() error {
	var errs []error
	for id := range r.values {
		if d := r.values[id].fed; d != nil {
			errs = append(errs, r.b.free(d.made))
			d.made = 0
		}
	}
	return errors.Join(errs...)
}

// noStep is the step of a launch that makes an input.
const noStep = -1

// feeds returns the launches that make the inputs that are fed.
func (r *runner) feeds() iter.Seq[placed] {
	return func(yield func(placed) bool) {
		for id := range r.values {
			v := &r.values[id]
			if v.feeding && !yield(placed{v.fed.launch(r.program.Value(id).Shape.TotalSize()), noStep}) {
				return
			}
		}
	}
}

var _ engine.Feeder = (*runner)(nil)
