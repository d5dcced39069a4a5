package data

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
)

// ErrClosed is the error of Next after Close.
var ErrClosed = errors.New("data: the loader is closed")

// Batch is N consecutive images of the training sequence.
type Batch struct {
	Start   int64   // image counter of the first image
	N       int     // number of images
	Index   []int   // [N], their numbers in the dataset
	Pixels  []uint8 // [N,C,H,W], 0 to 255; Normalize gives the units of training
	Labels  []int   // [N], -1: none
	Flipped []bool  // [N], whether the image is mirrored left to right

	loader *Loader
	held   bool
}

// Release returns the batch to its loader, which overwrites it from then on. More
// calls do nothing.
func (b *Batch) Release() {
	if !b.held {
		return
	}
	b.held = false
	b.loader.held--
	b.loader.free <- b // never blocks: there is room for every batch
}

// LoaderOptions says which sequence a Loader reads and how.
type LoaderOptions struct {
	Seed  uint64 // of the order and the flips
	Start int64  // image counter to start at
	Batch int    // images a batch
	XFlip bool   // mirror half of the images, chosen by coin
	// Prefetch is how many batches are prepared ahead, in the background; 0
	// reads each batch in the call of Next.
	Prefetch int
	// Workers is how many goroutines decode one batch together; 0 leaves it to
	// the goroutine that prepares the batch. No result depends on it.
	Workers int
}

// DefaultLoaderOptions returns: from the start of seed 0, no flips, 2 batches
// ahead, as many workers as there are processors but at most 4. Batch has no
// default.
func DefaultLoaderOptions() LoaderOptions {
	return LoaderOptions{Prefetch: 2, Workers: min(runtime.GOMAXPROCS(0), 4)}
}

// Validate reports every field out of range.
func (o LoaderOptions) Validate() error {
	var errs []error
	if o.Start < 0 {
		errs = append(errs, fmt.Errorf("option Start %d, want 0 or more", o.Start))
	}
	if o.Batch < 1 {
		errs = append(errs, fmt.Errorf("option Batch %d, want 1 or more", o.Batch))
	}
	if o.Prefetch < 0 {
		errs = append(errs, fmt.Errorf("option Prefetch %d, want 0 (none) or more", o.Prefetch))
	}
	if o.Workers < 0 {
		errs = append(errs, fmt.Errorf("option Workers %d, want 0 (none) or more", o.Workers))
	}
	return errors.Join(errs...)
}

// Loader reads the training sequence of a dataset: endless, and a function of
// the seed and the image counter alone. Image c is number c % Len of epoch
// c / Len; each epoch is a permutation of its own (stream rng.DataOrder). Any
// batch size, resume position, Prefetch or Workers reads the same sequence.
//
// One goroutine at a time may call Next and Release; Close may be called from any.
type Loader struct {
	filler *filler
	held   int // batches that Next returned and nobody released
	free   chan *Batch
	ready  chan filled
	failed error

	done   chan struct{}
	closed sync.Once
	wg     sync.WaitGroup // all goroutines of the loader
}

type filled struct {
	batch *Batch
	err   error
}

// maxHeld is the number of batches that a caller may hold at once: one in use, and one
// to look ahead.
const maxHeld = 2

// ErrHeld is the error of Next while two batches are held: release one first.
var ErrHeld = errors.New("data: two batches are held: release one before the next")

// NewLoader returns a Loader of ds. It must be closed, and before ds is.
func NewLoader(ds Dataset, o LoaderOptions) (*Loader, error) {
	if err := errors.Join(check(ds), o.Validate()); err != nil {
		return nil, fmt.Errorf("data: new loader: %w", err)
	}
	l := &Loader{
		free: make(chan *Batch, o.Prefetch+maxHeld),
		done: make(chan struct{}),
	}
	l.filler = newFiller(ds, o, l.done)
	for range o.Prefetch + maxHeld {
		b := newBatch(o.Batch, ds.Shape())
		b.loader = l
		l.free <- b
	}
	for range l.filler.helpers {
		l.wg.Go(l.filler.help)
	}
	if o.Prefetch > 0 {
		l.ready = make(chan filled, o.Prefetch)
		l.wg.Go(l.prefetch)
	}
	return l, nil
}

func newBatch(n int, s Shape) *Batch {
	return &Batch{
		N: n, Index: make([]int, n), Pixels: make([]uint8, n*s.Len()),
		Labels: make([]int, n), Flipped: make([]bool, n),
	}
}

// Next returns the next batch, which the caller holds until its Release; two may be
// held at once. It allocates no memory. When ctx ends first, Next returns the error of
// ctx and loses no batch. An error of the dataset is final: every later call returns
// it. After Close the error is ErrClosed.
func (l *Loader) Next(ctx context.Context) (*Batch, error) {
	select {
	case <-l.done:
		return nil, ErrClosed
	default:
	}
	if l.failed != nil {
		return nil, l.failed
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if l.held == maxHeld {
		return nil, ErrHeld
	}
	if l.ready == nil {
		b := <-l.free
		return l.hand(filled{b, l.filler.fill(b)})
	}
	select {
	case f := <-l.ready:
		return l.hand(f)
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-l.done:
		return nil, ErrClosed
	}
}

func (l *Loader) hand(f filled) (*Batch, error) {
	if f.err != nil {
		l.failed = f.err
		return nil, f.err
	}
	f.batch.held = true
	l.held++
	return f.batch, nil
}

// Close stops the background work and waits for the images being read. The
// last batch handed out stays as it is. More calls do nothing.
func (l *Loader) Close() {
	l.closed.Do(func() { close(l.done) })
	l.wg.Wait()
}

// prefetch fills free batches in order until Close or the first error.
func (l *Loader) prefetch() {
	for {
		var b *Batch
		select {
		case b = <-l.free:
		case <-l.done:
			return
		}
		err := l.filler.fill(b)
		select {
		case l.ready <- filled{b, err}:
		case <-l.done:
			return
		}
		if err != nil {
			return
		}
	}
}
