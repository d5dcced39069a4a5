package data

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"edm/internal/rng"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// counting counts the images read and sums up their numbers.
type counting struct {
	Dataset
	n, sum atomic.Int64
}

func (c *counting) Image(i int, dst []uint8) error {
	c.n.Add(1)
	c.sum.Add(int64(i))
	return c.Dataset.Image(i, dst)
}

// sequence is the definition: image c is order[c mod n] of its epoch, and its
// coin decides on the flip.
func sequence(ds Dataset, seed uint64, c int64, xflip bool) (index int, flipped bool, pixels []uint8) {
	n := int64(ds.Len())
	order := make([]int32, n)
	rng.Perm(order, seed, rng.DataOrder, uint64(c/n))
	index = int(order[c%n])
	source := rng.New(seed, rng.Augment, uint64(c))
	flipped = xflip && source.Uint32() >= 1<<31
	s := ds.Shape()
	raw := make([]uint8, s.Len())
	if err := ds.Image(index, raw); err != nil {
		panic(err)
	}
	pixels = make([]uint8, s.Len())
	for k := range raw {
		from := k
		if flipped {
			x := k % s.Width
			from = k - x + s.Width - 1 - x
		}
		pixels[k] = raw[from]
	}
	return index, flipped, pixels
}

func TestLoaderReadsTheSequenceHoweverItIsCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ds := smallGrid(rapid.IntRange(1, 20).Draw(t, "length"))
		o := LoaderOptions{
			Seed:     rapid.Uint64().Draw(t, "seed"),
			Start:    rapid.Int64Range(0, 60).Draw(t, "start") + rapid.SampledFrom([]int64{0, 1 << 40}).Draw(t, "far"),
			Batch:    rapid.IntRange(1, 45).Draw(t, "batch"),
			XFlip:    rapid.Bool().Draw(t, "xflip"),
			Prefetch: rapid.IntRange(0, 3).Draw(t, "prefetch"),
			Workers:  rapid.IntRange(0, 4).Draw(t, "workers"),
		}
		l, err := NewLoader(ds, o)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		c := o.Start
		for range rapid.IntRange(1, 4).Draw(t, "batches") {
			b, err := l.Next(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			if b.Start != c || b.N != o.Batch {
				t.Fatalf("batch of %d from %d, want %d from %d", b.N, b.Start, o.Batch, c)
			}
			for k := range b.N {
				index, flipped, pixels := sequence(ds, o.Seed, c, o.XFlip)
				if b.Index[k] != index || b.Flipped[k] != flipped || b.Labels[k] != index%3 {
					t.Fatalf("image %d: number %d (label %d, flipped %v), want %d (%d, %v)",
						c, b.Index[k], b.Labels[k], b.Flipped[k], index, index%3, flipped)
				}
				if !slices.Equal(b.Pixels[k*len(pixels):][:len(pixels)], pixels) {
					t.Fatalf("image %d has wrong pixels", c)
				}
				c++
			}
			b.Release()
		}
	})
}

func TestEachEpochIsAnotherPermutation(t *testing.T) {
	const n = 30
	ds := smallGrid(n)
	l, err := NewLoader(ds, LoaderOptions{Seed: 3, Batch: n, Prefetch: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var before []int
	for epoch := range 5 {
		b, err := l.Next(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if slices.Equal(b.Index, before) {
			t.Errorf("epoch %d repeats the one before", epoch)
		}
		before = slices.Clone(b.Index)
		if sorted := slices.Sorted(slices.Values(before)); sorted[0] != 0 || sorted[n-1] != n-1 || len(slices.Compact(sorted)) != n {
			t.Errorf("epoch %d is no permutation: %v", epoch, before)
		}
		b.Release()
	}
}

func TestFlipsAreFair(t *testing.T) {
	const n = 10000
	heads := 0
	for c := range int64(n) {
		if coin(5, c) {
			heads++
		}
	}
	if d := heads - n/2; d < -250 || d > 250 { // five standard deviations
		t.Errorf("%d of %d images are flipped", heads, n)
	}
}

func TestLoaderErrorIsFinal(t *testing.T) {
	// A loader that waits for a batch that never comes must fail, not hang.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for _, o := range []LoaderOptions{
		{Batch: 4, Prefetch: 2}, {Batch: 4, Prefetch: 2, Workers: 2}, {Batch: 4}, {Batch: 4, Workers: 3},
	} {
		ds := smallGrid(20)
		order := make([]int32, 20)
		rng.Perm(order, 0, rng.DataOrder, 0)
		ds.bad = int(order[10])
		l, err := NewLoader(ds, o)
		if err != nil {
			t.Fatal(err)
		}
		for k := range 5 {
			b, err := l.Next(ctx)
			if k < 2 && (err != nil || b.Start != int64(4*k)) {
				t.Fatalf("%+v: batch %d: %v", o, k, err)
			}
			if k >= 2 && !errors.Is(err, errBadImage) {
				t.Fatalf("%+v: batch %d: error %v, want %v", o, k, err, errBadImage)
			}
			if err == nil {
				b.Release()
			}
		}
		l.Close()
	}
}

// broken has no image that can be read.
type broken struct{ grid }

func (broken) Image(i int, dst []uint8) error { return fmt.Errorf("image %d of the broken", i) }

func TestLoaderReportsTheFirstBadImage(t *testing.T) {
	first, _, _ := sequence(smallGrid(64), 1, 0, false)
	for range 20 {
		l, err := NewLoader(broken{smallGrid(64)}, LoaderOptions{Seed: 1, Batch: 16, Workers: 4})
		if err != nil {
			t.Fatal(err)
		}
		_, err = l.Next(context.Background())
		wantError(t, err, fmt.Sprintf("image %d of", first))
		l.Close()
	}
}

func TestLoaderRefusesLabelsOutOfRange(t *testing.T) {
	l, err := NewLoader(badLabel{smallGrid(5)}, LoaderOptions{Batch: 5})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = l.Next(context.Background())
	wantError(t, err, "load grid", "label")
}

// stuck blocks in Image until released.
type stuck struct {
	grid
	release chan struct{}
}

func (s stuck) Image(i int, dst []uint8) error {
	<-s.release
	return s.grid.Image(i, dst)
}

func TestNextObeysContextAndLosesNothing(t *testing.T) {
	ds := stuck{smallGrid(8), make(chan struct{})}
	l, err := NewLoader(ds, LoaderOptions{Batch: 2, Prefetch: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if _, err := l.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("error %v", err)
	}
	close(ds.release)
	for k := range int64(6) {
		if _, err := l.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("ended context: error %v", err)
		}
		b, err := l.Next(context.Background())
		if err != nil || b.Start != 2*k {
			t.Fatalf("batch %+v, error %v, want start %d", b, err, 2*k)
		}
		b.Release()
	}
}

func TestCloseAtAnyMoment(t *testing.T) {
	for round := range 200 {
		l, err := NewLoader(smallGrid(50), LoaderOptions{Batch: 10, Prefetch: round % 4, Workers: round % 3})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			for {
				b, err := l.Next(context.Background())
				if err != nil {
					if !errors.Is(err, ErrClosed) {
						t.Errorf("error %v, want ErrClosed", err)
					}
					return
				}
				b.Release()
			}
		})
		for range round % 7 {
			time.Sleep(10 * time.Microsecond)
		}
		l.Close()
		l.Close()
		wg.Wait()
		if _, err := l.Next(context.Background()); !errors.Is(err, ErrClosed) {
			t.Errorf("after Close: error %v", err)
		}
	}
}

func TestBatchStaysAfterClose(t *testing.T) {
	ds := smallGrid(16)
	l, err := NewLoader(ds, LoaderOptions{Seed: 9, Batch: 3, Prefetch: 3})
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.Next(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	for k := range b.N {
		_, _, want := sequence(ds, 9, int64(k), false)
		if diff := cmp.Diff(want, b.Pixels[k*len(want):][:len(want)]); diff != "" {
			t.Error(diff)
		}
	}
}

// Two batches can be held, in any order of release; a third is an error, not a hang.
func TestHeldBatches(t *testing.T) {
	for _, prefetch := range []int{0, 2} {
		l, err := NewLoader(smallGrid(50), LoaderOptions{Batch: 5, Prefetch: prefetch})
		if err != nil {
			t.Fatal(err)
		}
		next := func() *Batch {
			b, err := l.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		first, second := next(), next()
		pixels := slices.Clone(first.Pixels)
		if _, err := l.Next(t.Context()); !errors.Is(err, ErrHeld) {
			t.Errorf("the third batch: %v, want ErrHeld", err)
		}
		second.Release()
		second.Release() // has no effect
		third := next()
		if _, err := l.Next(t.Context()); !errors.Is(err, ErrHeld) {
			t.Errorf("after two releases of one batch: %v, want ErrHeld", err)
		}
		if !slices.Equal(first.Pixels, pixels) || first.Start != 0 || third.Start != 10 {
			t.Errorf("prefetch %d: batches from %d and %d, want 0 and 10, the first as it was", prefetch, first.Start, third.Start)
		}
		l.Close()
		first.Release()
	}
}

func TestNextDoesNotAllocate(t *testing.T) {
	for _, o := range []LoaderOptions{
		{Batch: 64, XFlip: true}, {Batch: 64, Prefetch: 2}, {Batch: 64, XFlip: true, Prefetch: 2, Workers: 3},
	} {
		l, err := NewLoader(smallGrid(100), o)
		if err != nil {
			t.Fatal(err)
		}
		ctx := context.Background()
		allocs := testing.AllocsPerRun(200, func() {
			b, err := l.Next(ctx)
			if err != nil {
				t.Error(err)
			}
			b.Release()
		})
		if allocs != 0 {
			t.Errorf("%+v: %v allocations a batch", o, allocs)
		}
		l.Close()
	}
}

func BenchmarkLoaderDemo(b *testing.B) {
	ds, err := Demo()
	if err != nil {
		b.Fatal(err)
	}
	l, err := NewLoader(ds, LoaderOptions{Batch: 64, XFlip: true})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	b.ReportAllocs()
	for b.Loop() {
		batch, err := l.Next(context.Background())
		if err != nil {
			b.Fatal(err)
		}
		batch.Release()
	}
	b.ReportMetric(float64(b.N)*64/b.Elapsed().Seconds(), "images/s")
}
