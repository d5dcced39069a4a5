package ref

// DropoutMask is the counter-based source of dropout masks: it returns four
// random words for block number offset of an image counter.
type DropoutMask func(counter int64, offset uint32) [4]uint32

// Dropout writes x[n,...]/(1-p) where the element's random word is at least
// p*2^32, else 0; p <= 0 copies x. Element i of image n uses word i%4 of block
// i/4 + first. y may alias x.
func Dropout[T Float](y, x []T, p float64, counters []int64, first uint32, mask DropoutMask) {
	if p <= 0 {
		copy(y, x)
		return
	}
	size := len(x) / len(counters)
	keep := T(1 / (1 - p))
	limit := uint64(p * (1 << 32))
	for n, counter := range counters {
		row, out := x[n*size:(n+1)*size], y[n*size:(n+1)*size]
		var words [4]uint32
		for i, v := range row {
			if i%4 == 0 {
				words = mask(counter, first+uint32(i/4))
			}
			if uint64(words[i%4]) < limit {
				out[i] = 0
			} else {
				out[i] = v * keep
			}
		}
	}
}
