// Package rng is the project's only source of randomness: the counter-based
// generator Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as
// easy as 1, 2, 3").
//
// A counter-based generator is a pure function of (seed, stream, index,
// offset): there is no state to save, a draw can be repeated anywhere, and any
// thread, device or resumed process gets the same numbers.
package rng

import "math/bits"

// Stream separates uses of randomness that share a seed.
type Stream uint32

// The streams. Their values are part of every run's meaning: never renumber.
const (
	Init      Stream = 1  // initial weights; index = parameter number
	DataOrder Stream = 2  // epoch permutation; index = epoch
	Sigma     Stream = 3  // noise level of a training image; index = image counter
	Noise     Stream = 4  // noise added to a training image; index = image counter
	Dropout   Stream = 5  // dropout mask; index = image counter, offset = (site, element)
	Augment   Stream = 6  // flips and other augmentation; index = image counter
	Latents   Stream = 7  // initial latents of a sample; index 0, seed = the image's own
	Churn     Stream = 8  // noise of a stochastic solver; index = draw number
	Label     Stream = 9  // class labels: dropout in training, random choice in sampling
	Validate  Stream = 10 // fixed (image, sigma, noise) triples of the validation loss
)

const (
	mul0 = 0xD2511F53
	mul1 = 0xCD9E8D57
	key0 = 0x9E3779B9 // golden ratio
	key1 = 0xBB67AE85 // sqrt(3) - 1
)

// Philox4x32 returns the 10-round Philox block of the 128-bit counter c under
// the 64-bit key k.
func Philox4x32(c [4]uint32, k [2]uint32) [4]uint32 {
	for range 10 {
		h0, l0 := bits.Mul32(mul0, c[0])
		h1, l1 := bits.Mul32(mul1, c[2])
		c = [4]uint32{h1 ^ c[1] ^ k[0], l1, h0 ^ c[3] ^ k[1], l0}
		k[0] += key0
		k[1] += key1
	}
	return c
}

// Block returns four independent 32-bit words for block number offset of
// (seed, stream, index).
func Block(seed uint64, s Stream, index uint64, offset uint32) [4]uint32 {
	return Philox4x32(
		[4]uint32{offset, uint32(index), uint32(index >> 32), uint32(s)},
		[2]uint32{uint32(seed), uint32(seed >> 32)})
}
