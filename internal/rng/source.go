package rng

import "math"

// Source reads one (seed, stream, index) sequentially. The zero offset is its
// start. It is a value: a copy continues on its own.
type Source struct {
	seed   uint64
	index  uint64
	stream Stream
	offset uint32
	buf    [4]uint32
	used   int
	spare  float64 // the second normal of a Box-Muller pair
	has    bool
}

// New returns the Source of (seed, stream, index).
func New(seed uint64, s Stream, index uint64) Source {
	return Source{seed: seed, stream: s, index: index, used: 4}
}

// Uint32 returns the next 32 random bits.
func (r *Source) Uint32() uint32 {
	if r.used == 4 {
		r.buf = Block(r.seed, r.stream, r.index, r.offset)
		r.offset++
		r.used = 0
	}
	v := r.buf[r.used]
	r.used++
	return v
}

// Uint64 returns the next 64 random bits.
func (r *Source) Uint64() uint64 {
	lo := r.Uint32()
	return uint64(r.Uint32())<<32 | uint64(lo)
}

// Float64 returns a uniform draw from [0, 1) with 53 bits.
func (r *Source) Float64() float64 { return unit(r.Uint64()) }

// Intn returns a uniform draw from [0, n) without modulo bias; n must be
// positive.
func (r *Source) Intn(n int) int {
	limit := math.MaxUint64 - math.MaxUint64%uint64(n)
	for {
		if v := r.Uint64(); v < limit {
			return int(v % uint64(n))
		}
	}
}

// Normal returns a standard normal draw (Box-Muller).
func (r *Source) Normal() float64 {
	if r.has {
		r.has = false
		return r.spare
	}
	x, y := boxMuller([4]uint32{r.Uint32(), r.Uint32(), r.Uint32(), r.Uint32()})
	r.spare, r.has = y, true
	return x
}

// boxMuller returns two standard normal draws from one block of random bits.
func boxMuller(b [4]uint32) (x, y float64) {
	u := 1 - unit(uint64(b[1])<<32|uint64(b[0])) // (0, 1]: the logarithm stays finite
	sin, cos := math.Sincos(2 * math.Pi * unit(uint64(b[3])<<32|uint64(b[2])))
	radius := math.Sqrt(-2 * math.Log(u))
	return radius * cos, radius * sin
}

// unit returns the number in [0, 1) that the upper 53 bits of v stand for.
func unit(v uint64) float64 { return float64(v>>11) * 0x1p-53 }

// FillNormal fills dst with standard normal draws of (seed, stream, index),
// from its start: those that a Source gives, a pair from each block.
func FillNormal[T float32 | float64](dst []T, seed uint64, s Stream, index uint64) {
	n := len(dst)
	for i := 0; i < n; i += 2 {
		x, y := boxMuller(Block(seed, s, index, uint32(i/2)))
		dst[i] = T(x)
		if i+1 < n {
			dst[i+1] = T(y)
		}
	}
}

// Perm fills dst with a uniform permutation of 0..len(dst)-1 (Fisher-Yates).
func Perm(dst []int32, seed uint64, s Stream, index uint64) {
	r := New(seed, s, index)
	for i := range dst {
		j := r.Intn(i + 1)
		dst[i] = dst[j]
		dst[j] = int32(i)
	}
}
