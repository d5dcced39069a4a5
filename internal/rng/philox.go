// Package rng is the project's only source of randomness: the counter-based
// generator Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as
// easy as 1, 2, 3").
//
// A counter-based generator is a pure function of (seed, stream, index,
// offset): there is no state to save, a draw can be repeated anywhere, and any
// thread, device or resumed process gets the same numbers.
package rng

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
	Probe     Stream = 11 // probes of a trace estimate; index = probe number, seed = the image's own
	Dequant   Stream = 12 // uniform noise on 8-bit images; index 0, seed = the image's own
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
	// Eight scalars stay in registers where two arrays would not.
	c0, c1, c2, c3 := c[0], c[1], c[2], c[3]
	k0, k1 := k[0], k[1]
	for range 10 {
		p0, p1 := mul0*uint64(c0), mul1*uint64(c2)
		c0, c1, c2, c3 = uint32(p1>>32)^c1^k0, uint32(p1), uint32(p0>>32)^c3^k1, uint32(p0)
		k0 += key0
		k1 += key1
	}
	return [4]uint32{c0, c1, c2, c3}
}

// Block returns four independent 32-bit words for block number offset of
// (seed, stream, index).
func Block(seed uint64, s Stream, index uint64, offset uint32) [4]uint32 {
	return Philox4x32(
		[4]uint32{offset, uint32(index), uint32(index >> 32), uint32(s)},
		[2]uint32{uint32(seed), uint32(seed >> 32)})
}
