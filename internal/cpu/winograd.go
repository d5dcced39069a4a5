package cpu

// This file is what the Winograd convolutions F(4x4,3x3) share: the primitives,
// the layout of tiles, and the transforms between images and tiles.
//
// An image is cut into tiles of 4x4 output pixels, each of which needs 6x6
// pixels of input. With d such a tile, g a filter, and the matrices of Lavin
// and Gray (2016), "Fast Algorithms for Convolutional Neural Networks",
//
//	y = A^T [(G g G^T) . (B^T d B)] A
//
// so that the sum over input channels is 36 matrix products, one for each
// frequency, with 36 multiplications a tile and pair of channels instead of
// 144. The gradient by the filters is the transpose of the same formula:
//
//	dg = G^T [(A dy A^T) . (B^T d B)] G
//
// Channels lie in blocks of one vector, the innermost index: a transform is
// then additions of whole vectors at any stride, and one vector of a product is
// a block of output channels. An array of frequencies is [36][block][row]
// [lanes], its rows being tiles or input channels.

// The sizes of F(4x4,3x3).
const (
	tileOut     = 4
	tileIn      = 6
	frequencies = tileIn * tileIn
	taps3x3     = 9
)

// winogradMap applies a matrix to vectors:
//
//	dst[o*dstOuter + i*dstInner + r*dstStride] = sum over s of m[r][s] * src[o*srcOuter + i*srcInner + s*srcStride]
//
// for o < outer and i < inner; inner is at least 1.
type winogradMap func(dst, src []float32, outer, dstOuter, srcOuter, inner, dstInner, srcInner, dstStride, srcStride int)

// winogradSet is one implementation of the primitives.
type winogradSet struct {
	rows int // tiles that a product takes at a time

	// fetch asks for n elements of each of rows rows that will be read soon; rows
	// and n are at least 1.
	fetch func(src []float32, rows, stride, n int)

	input      winogradMap // B^T, 6 to 6
	output     winogradMap // A^T, 6 to 4
	spread     winogradMap // A, 4 to 6
	filter     winogradMap // G, 3 to 6
	mirror     winogradMap // G of the reversed filter, 3 to 6
	filterGrad winogradMap // G^T, 6 to 3

	// product sets, for tiles groups of rows tiles, by the number of blocks of
	// output channels,
	//
	//	c[t][o] = sum over depth blocks of a[t][i] * b[i][o]
	//
	// where blocks of c, a and b are cStride, aStride and bStride elements apart.
	// Each sum is one chain in the order of i. next is what will be read soon.
	product [3]func(c, a, b, next []float32, tiles, depth, cStride, aStride, bStride int)

	// gradient sets, or with accumulate = 1 adds to,
	//
	//	c[i][o] = sum over tiles of a[t][i] * b[t][o]
	//
	// for the input channels of the given number of blocks, which are aStride
	// elements apart in a and follow each other in c.
	gradient [3]func(c, a, b []float32, tiles, blocks, cStride, aStride, bStride, accumulate int)
}

// winogradTiles returns the number of tiles of all images.
func (s convShape) winogradTiles() int { return s.n * ceilDiv(s.h, tileOut) * ceilDiv(s.w, tileOut) }

// tiling cuts n images of h x w pixels into rows of tiles.
type tiling struct {
	n, h, w int
	across  int // tiles in a row
	down    int // rows of tiles in an image
	lanes   int
	k       *kernels
}

func newTiling(k *kernels, n, h, w int) tiling {
	return tiling{n: n, h: h, w: w, across: ceilDiv(w, tileOut), down: ceilDiv(h, tileOut), lanes: k.lanes, k: k}
}

// tileRows returns the rows of tiles of all images.
func (t *tiling) tileRows() int { return t.n * t.down }

// stageLen returns the elements of each of the two buffers that load and store
// want: rows of a tile row, in pixels with the channels last.
func (t *tiling) stageLen() int { return tileIn * (t.across*tileOut + 2) * t.lanes }

// load transforms channels [ch, ch+lanes) of the rows of tiles [from,to) of x
// [N,channels,H,W] by m on both sides. The tiles of a row overlap by halo pixels
// on each side: 1 for B^T, 0 for A. dst is [36, stride elements apart][tile]
// [lanes].
func (t *tiling) load(dst []float32, stride int, m winogradMap, halo int, x []float32, channels, ch, from, to int, stage, half []float32) {
	rows, wide := tileOut+2*halo, (t.across*tileOut+2*halo)*t.lanes
	stage = stage[:rows*wide]
	clear(stage)
	for r := from; r < to; r++ {
		first := 0
		if r > from && r%t.down > 0 {
			first = copy(stage, stage[tileOut*wide:]) / wide
		}
		for i := first; i < rows; i++ {
			t.loadRow(stage[i*wide:(i+1)*wide], x, channels, ch, r/t.down, r%t.down*tileOut+i-halo, halo)
		}
		if r+1 < to {
			t.fetch(x, channels, ch, r+1)
		}
		m(half, stage, 1, 0, 0, wide/t.lanes, t.lanes, t.lanes, wide, wide)
		m(dst[(r-from)*t.across*t.lanes:], half, tileIn, tileIn*stride, wide,
			t.across, t.lanes, tileOut*t.lanes, stride, t.lanes)
	}
}

// fetch asks for the pixels of a row of tiles while another is transformed.
func (t *tiling) fetch(x []float32, channels, ch, r int) {
	top := r % t.down * tileOut
	at := ((r/t.down*channels+ch)*t.h + top) * t.w
	t.k.winograd.fetch(x[at:], min(t.lanes, channels-ch), t.h*t.w, min(tileOut, t.h-top)*t.w)
}

// loadRow puts the channels of row y of image n side by side, after halo zero
// pixels; what lies outside the image is zero already or, in a row that was
// used before, made so.
func (t *tiling) loadRow(row, x []float32, channels, ch, n, y, halo int) {
	if y < 0 || y >= t.h {
		clear(row)
		return
	}
	src := x[((n*channels+ch)*t.h+y)*t.w:]
	t.k.interleave(row[halo*t.lanes:], src, min(t.lanes, channels-ch), t.lanes, t.h*t.w, t.w, t.lanes)
}

// store transforms products back, src being [36, stride elements apart][tile]
// [lanes] of the rows of tiles [from,to), and writes channels [ch, ch+lanes) of
// y [N,channels,H,W].
func (t *tiling) store(y []float32, channels, ch, from, to int, src []float32, stride int, stage, half []float32) {
	wide := t.across * tileOut * t.lanes
	for r := from; r < to; r++ {
		m := t.k.winograd.output
		m(half, src[(r-from)*t.across*t.lanes:], tileIn, wide, tileIn*stride,
			t.across, tileOut*t.lanes, t.lanes, t.lanes, stride)
		m(stage, half, 1, 0, 0, wide/t.lanes, t.lanes, t.lanes, wide, wide)
		n, top := r/t.down, r%t.down*tileOut
		for i := range min(tileOut, t.h-top) {
			at := ((n*channels+ch)*t.h + top + i) * t.w
			t.k.deinterleave(y[at:], stage[i*wide:], min(t.lanes, channels-ch), t.lanes, t.h*t.w, t.w)
		}
	}
}

// deinterleave writes n elements of each of valid rows, stride elements apart:
// element i of row r is src[i*width+r].
func (k *kernels) deinterleave(dst, src []float32, valid, width, stride, n int) {
	i, whole := 0, valid&^3
	for ; i+8 <= n; i += 8 {
		k.interleave8(dst[i:], src[i*width:], width, whole, stride)
	}
	for ; i+4 <= n; i += 4 {
		k.interleave4(dst[i:], src[i*width:], width, whole, stride)
	}
	for r := range valid {
		from := i
		if r >= whole {
			from = 0
		}
		for j := from; j < n; j++ {
			dst[r*stride+j] = src[j*width+r]
		}
	}
}
