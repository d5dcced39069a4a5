//go:build gpu

package cuda

import (
	"math"

	"edm/internal/op"
)

// hopperImages are packed pixels as kernels/hopperring.cuh reads them, box by box. A
// 1x1 convolution sees all images as one row.
type hopperImages struct {
	packed               packedPixels
	columns, rows, count int
}

// newHopperImages returns images [N,C,H,W] for a convolution.
func newHopperImages(shape []int, kernel int) hopperImages {
	s := hopperImages{packed: newPackedPixels(shape), columns: shape[3], rows: shape[2], count: shape[0]}
	if kernel == 1 {
		s.columns, s.rows, s.count = s.packed.count(), 1, 1
	}
	return s
}

// check returns an error if the kernels' 32-bit numbers do not reach the pixels of
// all images, with a box beyond them.
func (s hopperImages) check(spec op.Spec) error {
	const border = 256 // of a box, at most
	return indexable(spec, (s.count+border)*s.packed.size+border, "pixels")
}

// hopperBox are the pixels that are read at once: columns, rows and images.
type hopperBox struct{ columns, rows, images int }

// boxes returns how many boxes hold all pixels.
func (s hopperImages) boxes(b hopperBox) int {
	return parts(s.columns, b.columns) * parts(s.rows, b.rows) * parts(s.count, b.images)
}

// box returns the box of at most n pixels of which the fewest hold all: the widest
// of them, and of these the highest. It has an even number of columns where the
// images have one, so that pairs of pixels stay together.
func (s hopperImages) box(n int) hopperBox {
	step := 2 - s.columns%2
	best, least := hopperBox{}, math.MaxInt
	for columns := min(s.columns, n) / step * step; columns > 0; columns -= step {
		for rows := min(s.rows, n/columns); rows > 0; rows-- {
			b := hopperBox{columns, rows, min(s.count, n/(columns*rows))}
			if boxes := s.boxes(b); boxes < least {
				best, least = b, boxes
			}
		}
	}
	return best
}

// reach returns how many images a box touches, at most.
func (s hopperImages) reach(b hopperBox) int {
	if s.count == 1 { // perhaps a row of all pixels
		return (b.columns-2)/s.packed.size + 2
	}
	return b.images
}

// tensorMap returns the map of the packed pixels at an address.
func (s hopperImages) tensorMap(at pointer, b hopperBox) tensorMap {
	return tensorMap{
		at:      at,
		extents: [4]int{s.packed.stride(), s.columns, s.rows, s.count},
		box:     [4]int{hopperStep, b.columns, b.rows, b.images},
	}
}
