// Package data supplies p_data of the EDM paper: labelled images, and training
// batches of them as a pure function of how many images were drawn before.
//
// Open reads the embedded demo set (Fashion-MNIST), IDX files, the binary
// version of CIFAR-10, zip archives in the StyleGAN/EDM layout and plain image
// folders. Anything else can be trained on by implementing Dataset.
package data

import (
	"errors"
	"fmt"
	"io"
)

// Shape is the size of every image of a dataset.
type Shape struct{ Channels, Height, Width int }

// Len returns the number of values in one image.
func (s Shape) Len() int { return s.Channels * s.Height * s.Width }

// String returns the shape as CxHxW.
func (s Shape) String() string { return fmt.Sprintf("%dx%dx%d", s.Channels, s.Height, s.Width) }

// Dataset is a fixed, ordered collection of images of one shape. All methods
// must be safe for concurrent use and must always give the same answer.
type Dataset interface {
	// Name is short and safe in a file name, such as "cifar10".
	Name() string
	// Len is the number of images, at least 1.
	Len() int
	// Shape is the shape of every image.
	Shape() Shape
	// NumClasses is the number of classes; 0 if the images have no labels.
	NumClasses() int
	// ClassNames holds NumClasses names, or is nil if they are not known. The
	// caller must not change it.
	ClassNames() []string
	// Image writes image i (0 <= i < Len) to dst, which has Shape().Len()
	// elements: channel by channel, rows from the top, values 0 to 255.
	Image(i int, dst []uint8) error
	// Label is the class of image i, from 0 to NumClasses-1, or -1 if it has
	// none.
	Label(i int) int
}

// Normalize writes the 8-bit values src to dst in the units of training: 0 is
// -1 and 255 is 1. dst is at least as long as src.
func Normalize(dst []float32, src []uint8) {
	dst = dst[:len(src)]
	for i, v := range src {
		dst[i] = float32(v)/127.5 - 1
	}
}

// Close closes the files of ds. Only image zips keep one open; for any other dataset
// without a Close method it does nothing.
func Close(ds Dataset) error {
	if c, ok := ds.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// Verify reads every image and checks every label, and returns the first fault
// by image number. Open only looks at the headers of image files; Verify finds
// truncated ones too.
func Verify(ds Dataset) error {
	if err := check(ds); err != nil {
		return fmt.Errorf("data: verify: %w", err)
	}
	size := ds.Shape().Len()
	return eachRange(ds.Len(), func(lo, hi int) error {
		image := make([]uint8, size)
		for i := lo; i < hi; i++ {
			if err := checkLabel(ds, i); err != nil {
				return fmt.Errorf("data: verify %s: %w", ds.Name(), err)
			}
			if err := ds.Image(i, image); err != nil {
				return err
			}
		}
		return nil
	})
}

// check returns the faults of a Dataset, of this package or another.
func check(ds Dataset) error {
	if ds == nil {
		return errors.New("no dataset")
	}
	s := ds.Shape()
	var errs []error
	if ds.Len() < 1 || ds.Len() > maxImages {
		errs = append(errs, fmt.Errorf("%d images, want 1 to %d", ds.Len(), maxImages))
	}
	if min(s.Channels, s.Height, s.Width) < 1 {
		errs = append(errs, fmt.Errorf("shape %v, want positive sizes", s))
	}
	if ds.NumClasses() < 0 {
		errs = append(errs, fmt.Errorf("%d classes, want 0 or more", ds.NumClasses()))
	}
	if names := ds.ClassNames(); names != nil && len(names) != ds.NumClasses() {
		errs = append(errs, fmt.Errorf("%d class names for %d classes", len(names), ds.NumClasses()))
	}
	if errs != nil {
		return fmt.Errorf("dataset %s: %w", ds.Name(), errors.Join(errs...))
	}
	return nil
}

func checkLabel(ds Dataset, i int) error {
	if l := ds.Label(i); l < -1 || l >= max(ds.NumClasses(), 0) {
		return fmt.Errorf("image %d has label %d, want -1 to %d", i, l, ds.NumClasses()-1)
	}
	return nil
}

// checkImage reports a call of Image that does not fit the dataset.
func checkImage(ds Dataset, i int, dst []uint8) error {
	if i < 0 || i >= ds.Len() {
		return fmt.Errorf("data: %s: image %d, want 0 to %d", ds.Name(), i, ds.Len()-1)
	}
	if want := ds.Shape().Len(); len(dst) != want {
		return fmt.Errorf("data: %s: buffer of %d bytes, want %d for %v", ds.Name(), len(dst), want, ds.Shape())
	}
	return nil
}
