package data

import (
	"fmt"
	"slices"
	"sync"

	"edm/internal/rng"
)

// filler fills batch after batch. One goroutine at a time may call fill.
type filler struct {
	ds     Dataset
	o      LoaderOptions
	length int64
	size   int // values an image
	width  int

	next  int64 // counter of the next batch's first image
	epoch int64 // of order; -1: none yet
	order []int32

	helpers int // goroutines that run help
	parts   chan part
	errs    []error // by number of part
	pending sync.WaitGroup
	done    <-chan struct{}
}

// part is the range [lo, hi) of a batch's images.
type part struct {
	batch  *Batch
	number int
	lo, hi int
}

func newFiller(ds Dataset, o LoaderOptions, done <-chan struct{}) *filler {
	f := &filler{
		ds: ds, o: o, length: int64(ds.Len()), size: ds.Shape().Len(), width: ds.Shape().Width,
		next: o.Start, epoch: -1, order: make([]int32, ds.Len()),
		parts: make(chan part), done: done,
	}
	if o.Workers > 1 && o.Batch > 1 {
		f.helpers = min(o.Workers, o.Batch)
	}
	f.errs = make([]error, f.helpers)
	return f
}

// fill makes b the next batch. On an error b is undefined, and the error is
// that of the batch's first bad image.
func (f *filler) fill(b *Batch) error {
	f.draw(b)
	if f.helpers == 0 {
		return f.read(b, 0, b.N)
	}
	clear(f.errs)
	for k := range f.helpers {
		p := part{b, k, k * b.N / f.helpers, (k + 1) * b.N / f.helpers}
		f.pending.Add(1)
		select {
		case f.parts <- p:
		case <-f.done:
			f.errs[k] = ErrClosed
			f.pending.Done()
		}
	}
	f.pending.Wait()
	for _, err := range f.errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// help reads parts of batches until the loader is closed. A part once taken is
// always finished, so fill never waits in vain.
func (f *filler) help() {
	for {
		select {
		case p := <-f.parts:
			f.errs[p.number] = f.read(p.batch, p.lo, p.hi)
			f.pending.Done()
		case <-f.done:
			return
		}
	}
}

// draw decides which images the batch holds and which are mirrored.
func (f *filler) draw(b *Batch) {
	b.Start = f.next
	f.next += int64(b.N)
	for k := range b.N {
		c := b.Start + int64(k)
		if epoch := c / f.length; epoch != f.epoch {
			f.epoch = epoch
			rng.Perm(f.order, f.o.Seed, rng.DataOrder, uint64(epoch))
		}
		b.Index[k] = int(f.order[c%f.length])
		b.Flipped[k] = f.o.XFlip && coin(f.o.Seed, c)
	}
}

// coin is the horizontal flip of image counter c: the top bit of its augment
// stream's first word.
func coin(seed uint64, c int64) bool {
	r := rng.New(seed, rng.Augment, uint64(c))
	return r.Uint32()>>31 == 1
}

// read fetches images lo to hi-1 of the batch.
func (f *filler) read(b *Batch, lo, hi int) error {
	for k := lo; k < hi; k++ {
		i := b.Index[k]
		if err := checkLabel(f.ds, i); err != nil {
			return fmt.Errorf("data: load %s: %w", f.ds.Name(), err)
		}
		b.Labels[k] = f.ds.Label(i)
		image := b.Pixels[k*f.size : (k+1)*f.size : (k+1)*f.size]
		if err := f.ds.Image(i, image); err != nil {
			return err
		}
		if b.Flipped[k] {
			for row := range slices.Chunk(image, f.width) {
				slices.Reverse(row)
			}
		}
	}
	return nil
}
