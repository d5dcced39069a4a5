package data

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
)

// Report is the result of Inspect. Values are in the units of training: pixels
// from -1 to 1, distances between images as vectors of pixels.
type Report struct {
	Name       string
	Images     int
	Shape      Shape
	ClassSizes []int    // images of each class; nil if there are no classes
	ClassNames []string // nil if not known
	Unlabelled int      // images without a label

	Channels  []Moments // of each channel
	Mean      float64   // of all values
	SigmaData float64   // their standard deviation: sigma_data (EDM Table 1) as measured

	Constant   int // images of one colour
	Duplicates int // images equal to an earlier one

	MaxDistance Extent
}

// Moments are the mean and the standard deviation of a set of values.
type Moments struct{ Mean, Std float64 }

// SigmaMax returns the largest noise level that the data asks for: the largest
// distance of two images (Song & Ermon 2020, Technique 1), or if that is not
// known exactly, its upper bound.
func (r Report) SigmaMax() float64 { return r.MaxDistance.Upper }

// InspectOptions bounds the search for the largest distance of two images.
// Where a bound stops it, the result is an interval.
type InspectOptions struct {
	// MaxPairs is how many pairs of images are compared at most, besides those
	// with a few images far out.
	MaxPairs int64
	// MaxBytes bounds the memory for images that are compared.
	MaxBytes int64
}

// DefaultInspectOptions returns: 5 million pairs, 1 GiB. That is exact for the
// usual datasets, whose far ends are few.
func DefaultInspectOptions() InspectOptions {
	return InspectOptions{MaxPairs: 5_000_000, MaxBytes: 1 << 30}
}

// Validate reports every field out of range.
func (o InspectOptions) Validate() error {
	var errs []error
	if o.MaxPairs < 0 {
		errs = append(errs, fmt.Errorf("option MaxPairs %d, want 0 (bounds only) or more", o.MaxPairs))
	}
	if o.MaxBytes < 0 {
		errs = append(errs, fmt.Errorf("option MaxBytes %d, want 0 (bounds only) or more", o.MaxBytes))
	}
	return errors.Join(errs...)
}

// Inspect reads every image of ds a few times and reports its contents. The
// report does not depend on the number of processors. When ctx ends first, its
// error is returned.
func Inspect(ctx context.Context, ds Dataset, o InspectOptions) (Report, error) {
	if err := errors.Join(check(ds), o.Validate()); err != nil {
		return Report{}, fmt.Errorf("data: inspect: %w", err)
	}
	c, err := countAll(ctx, ds)
	if err != nil {
		return Report{}, err
	}
	r := Report{Name: ds.Name(), Images: ds.Len(), Shape: ds.Shape(), ClassNames: ds.ClassNames(), Constant: c.constant}
	r.ClassSizes, r.Unlabelled = classSizes(ds)
	var all [256]int64
	for _, h := range c.values {
		r.Channels = append(r.Channels, moments(h))
		for v, n := range h {
			all[v] += n
		}
	}
	total := moments(all)
	r.Mean, r.SigmaData = total.Mean, total.Std
	if r.Duplicates, err = duplicates(ctx, ds, c.hashes); err != nil {
		return Report{}, err
	}
	mean := make([]float64, len(c.sums))
	for i, s := range c.sums {
		mean[i] = float64(s) / float64(ds.Len())
	}
	if r.MaxDistance, err = maxDistance(ctx, ds, mean, o); err != nil {
		return Report{}, err
	}
	return r, nil
}

// counts is the result of one pass over the images. Its numbers are exact, so the
// order of the work does not matter.
type counts struct {
	values   [][256]int64 // of each channel
	sums     []int64      // of each value of the image, over the images
	constant int
	hashes   []uint64 // of each image
}

func newCounts(s Shape) *counts {
	return &counts{values: make([][256]int64, s.Channels), sums: make([]int64, s.Len())}
}

func countAll(ctx context.Context, ds Dataset) (*counts, error) {
	total := newCounts(ds.Shape())
	total.hashes = make([]uint64, ds.Len())
	var mu sync.Mutex
	err := eachImage(ctx, ds, func() (func(int, []uint8) error, func()) {
		part := newCounts(ds.Shape())
		each := func(i int, image []uint8) error {
			total.hashes[i] = hash(image)
			part.add(image)
			return checkLabel(ds, i)
		}
		return each, func() {
			mu.Lock()
			defer mu.Unlock()
			total.merge(part)
		}
	})
	return total, err
}

func (c *counts) add(image []uint8) {
	size := len(image) / len(c.values)
	constant := true
	for k := range c.values {
		plane, h := image[k*size:][:size], &c.values[k]
		for _, v := range plane {
			h[v]++
			constant = constant && v == plane[0]
		}
	}
	for i, v := range image {
		c.sums[i] += int64(v)
	}
	if constant {
		c.constant++
	}
}

func (c *counts) merge(part *counts) {
	for k := range c.values {
		for v, n := range part.values[k] {
			c.values[k][v] += n
		}
	}
	for i, v := range part.sums {
		c.sums[i] += v
	}
	c.constant += part.constant
}

// eachImage reads all images, several at once. start is called by each worker
// and returns what to do with an image and what to do at the end; image is
// overwritten by the next one.
func eachImage(ctx context.Context, ds Dataset, start func() (each func(i int, image []uint8) error, end func())) error {
	return eachRange(ds.Len(), func(lo, hi int) error {
		each, end := start()
		image := make([]uint8, ds.Shape().Len())
		for i := lo; i < hi; i++ {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := ds.Image(i, image); err != nil {
				return err
			}
			if err := each(i, image); err != nil {
				return fmt.Errorf("data: inspect %s: %w", ds.Name(), err)
			}
		}
		end()
		return nil
	})
}

// moments returns the mean and the standard deviation of 8-bit values in the
// units of training.
func moments(h [256]int64) Moments {
	var count, sum, square float64
	for v, n := range h {
		count += float64(n)
		sum += float64(n) * float64(v)
	}
	mean := sum / count
	for v, n := range h {
		square += float64(n) * (float64(v) - mean) * (float64(v) - mean)
	}
	return Moments{mean/127.5 - 1, math.Sqrt(square/count) / 127.5}
}

func classSizes(ds Dataset) (sizes []int, unlabelled int) {
	if n := ds.NumClasses(); n > 0 {
		sizes = make([]int, n)
	}
	for i := range ds.Len() {
		if l := ds.Label(i); l >= 0 {
			sizes[l]++
		} else {
			unlabelled++
		}
	}
	return sizes, unlabelled
}
