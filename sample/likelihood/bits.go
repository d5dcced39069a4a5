package likelihood

import (
	"fmt"
	"math"

	"edm/internal/rng"
)

// halfLevels scales bytes to images: byte b is b/127.5 - 1.
const halfLevels = 127.5

// BitsPerDim returns the bits a number that an 8-bit image of dim numbers costs,
// given the log density in nats of its dequantised self (see Dequantize):
//
//	-ln p / (dim ln 2) + log2(127.5)
//
// The offset, 6.9944 bits, is the width of a byte's interval, 1/127.5 of the
// images' unit. The mean over the uniform noise is an upper bound of the cost of
// the bytes themselves (Theis et al. 2016).
func BitsPerDim(logDensity float64, dim int) float64 {
	return -logDensity/(float64(dim)*math.Ln2) + math.Log2(halfLevels)
}

// Dequantize writes the 8-bit image src to dst as a point of density: byte b
// becomes (b + u)/127.5 - 1 with u uniform in [-1/2, 1/2) from the image's seed,
// so that it lies around the value that training has for it. The lengths must
// be equal.
func Dequantize(dst []float64, src []uint8, seed uint64) error {
	if len(dst) != len(src) {
		return fmt.Errorf("likelihood: dequantize: %d and %d numbers, want equal numbers", len(dst), len(src))
	}
	r := rng.New(seed, rng.Dequant, 0)
	for j, b := range src {
		dst[j] = (float64(b)+r.Float64()-0.5)/halfLevels - 1
	}
	return nil
}

// Mean returns the mean of one number for each image, and its standard error
// over images, NaN for a single one.
func Mean(perImage []float64) (mean, stdErr float64) { return meanAndError(perImage) }
