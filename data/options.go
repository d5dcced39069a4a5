package data

import (
	"errors"
	"fmt"
	"math"
)

const (
	maxImages     = math.MaxInt32 // an epoch's permutation is int32
	maxResolution = 1 << 12
	maxClasses    = 1 << 16
)

// Options says how Open presents the images.
type Options struct {
	// Resolution is the height and width in pixels; 0 keeps the stored size
	// (the demo set: 32). Image folders and zips are cropped to a centred
	// square and scaled (Catmull-Rom); IDX images, which must not be larger,
	// get a centred border of zeros; CIFAR-10 is 32 and nothing else.
	Resolution int
	// RGB repeats greyscale images into three equal channels, and so allows
	// greyscale and colour files in one dataset.
	RGB bool
	// MaxSize keeps at most so many images, chosen at random but always the
	// same ones; 0 keeps all.
	MaxSize int
	// CacheBytes bounds the memory for decoded images of folders and zips:
	// images are kept as they are first read until it is used up, and
	// the others are decoded at each use. 0 keeps none. IDX and CIFAR-10
	// files are always held in memory whole.
	CacheBytes int64
}

// DefaultOptions returns: as stored, all images, a cache of 1 GiB.
func DefaultOptions() Options { return Options{CacheBytes: 1 << 30} }

// Validate reports every field out of range.
func (o Options) Validate() error {
	var errs []error
	if o.Resolution < 0 || o.Resolution > maxResolution {
		errs = append(errs, fmt.Errorf("option Resolution %d, want 0 (as stored) to %d", o.Resolution, maxResolution))
	}
	if o.MaxSize < 0 {
		errs = append(errs, fmt.Errorf("option MaxSize %d, want 0 (all) or more", o.MaxSize))
	}
	if o.CacheBytes < 0 {
		errs = append(errs, fmt.Errorf("option CacheBytes %d, want 0 (no cache) or more", o.CacheBytes))
	}
	return errors.Join(errs...)
}
