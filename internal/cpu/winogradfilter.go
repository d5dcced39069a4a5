package cpu

// filters is the transform of the weights [cout][cin][3][3] of a convolution.
type filters struct {
	k         *kernels
	cin, cout int
}

// stageLen returns the elements of each of the two buffers that transform wants:
// a square block of channels fits the L1 cache.
func (f *filters) stageLen() int { return 18 * f.k.lanes * f.k.lanes }

// depth and width return the channels of the sum and of the result, padded to
// whole blocks; for the gradient by data the two change places.
func (f *filters) depth(reverse bool) int { return roundUp(f.sides(reverse).in, f.k.lanes) }
func (f *filters) width(reverse bool) int { return roundUp(f.sides(reverse).out, f.k.lanes) }

// sides are the channels of a product and how they lie in the weights.
type sides struct{ in, out, inStride, outStride int }

func (f *filters) sides(reverse bool) sides {
	if reverse {
		return sides{f.cout, f.cin, f.cin * taps3x3, taps3x3}
	}
	return sides{f.cin, f.cout, taps3x3, f.cin * taps3x3}
}

// transform writes one block of output channels of G g G^T: dst is [36, stride
// elements apart][channels of the sum, padded with zeros][lanes]. With reverse it
// is the filter of the gradient by data: the channels exchanged, the taps in
// reverse.
func (f *filters) transform(dst []float32, stride int, w []float32, block int, reverse bool, stage, half []float32) {
	s, lanes := f.sides(reverse), f.k.lanes
	m := f.k.winograd.filter
	if reverse {
		m = f.k.winograd.mirror
	}
	src := w[block*lanes*s.outStride:]
	valid := min(lanes, s.out-block*lanes)
	for i := 0; i < s.in; i += lanes {
		count := min(lanes, s.in-i)
		if reverse {
			f.gather(stage, src[i*s.inStride:], count, valid, half)
		} else {
			f.k.interleave(stage, src[i*s.inStride:], valid, lanes, s.outStride, count*taps3x3, lanes)
		}
		m(half, stage, count, 18*lanes, taps3x3*lanes, 3, lanes, lanes, 3*lanes, 3*lanes)
		m(dst[i*lanes:], half, count, lanes, 18*lanes, tileIn, tileIn*stride, 3*lanes, stride, lanes)
	}
	if pad := f.depth(reverse); pad > s.in {
		for q := range frequencies {
			clear(dst[q*stride+s.in*lanes : q*stride+pad*lanes])
		}
	}
}

// gather writes [output channel][9][lanes of input channels] from count output
// channels of the weights, by way of half.
func (f *filters) gather(dst, w []float32, count, valid int, half []float32) {
	lanes := f.k.lanes
	f.k.interleave(half, w, count, lanes, f.cin*taps3x3, valid*taps3x3, lanes)
	for tap := range taps3x3 {
		f.k.interleave(dst[tap*lanes:], half[tap*lanes:], valid, lanes, taps3x3*lanes, lanes, taps3x3*lanes)
	}
}

// gradient writes G^T u G for count input channels: src is [36, stride elements
// apart][channel][lanes], dst [channel][9][lanes].
func (f *filters) gradient(dst, src []float32, stride, count int, half []float32) {
	lanes, m := f.k.lanes, f.k.winograd.filterGrad
	for i := 0; i < count; i += lanes {
		group := min(lanes, count-i)
		m(half, src[i*lanes:], group, 18*lanes, lanes, tileIn, 3*lanes, tileIn*stride, lanes, stride)
		m(dst[i*taps3x3*lanes:], half, group, taps3x3*lanes, 18*lanes, 3, lanes, lanes, 3*lanes, 3*lanes)
	}
}

// write scales one block of output channels, which it overwrites, [input channel]
// [9][lanes], and moves it to its place in dw [cout][cin][3][3].
func (f *filters) write(dw, block []float32, number int, scale float32) {
	size, co := f.cin*taps3x3, number*f.k.lanes
	f.k.affine(block, block, scale, 0)
	f.k.deinterleave(dw[co*size:], block, min(f.k.lanes, f.cout-co), f.k.lanes, size, size)
}
