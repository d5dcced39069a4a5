package cpu

// convShape is a convolution with stride 1 and same padding seen as a matrix
// product: depth input channels, width output channels, images of h x w pixels
// and 1 or 9 taps.
type convShape struct {
	n, depth, width, h, w, kernel int
}

func (s convShape) taps() int   { return s.kernel * s.kernel }
func (s convShape) pixels() int { return s.h * s.w }

// Sizes that the blocking aims at.
const (
	windowFloats = 256 << 10 // of a strip's window: half of a 2 MiB L2 cache
	l1Floats     = 7 << 10   // of the part of a window that one tile reads
	fewChunks    = 16        // chunks of work, if the shape gives them
)

// conv computes y = conv(x, w) with 3x3 kernels, or the gradient by data, which
// is the same with the channels of w exchanged and its taps reversed.
//
// One strip of rows of one image is copied into a window: three copies of every
// channel, shifted by -1, 0 and 1 pixels with zeros at the
// border, so that the pixels of a tile are contiguous and aligned for every
// tap whatever the width of the image. The weights are packed in panels of a
// few output channels. A tile is a run of pixels; its sums go over (channel,
// tap) in the order of the weights, cut into blocks of channels whose part of
// the window fits the L1 cache; the cuts depend on depth, w and kernel alone.
type conv struct {
	convShape
	b      *Backend
	k      *kernels
	rows   int // image rows of a strip
	strips int
	split  int // parts of the output channels
	part   int // panels in a part
	block  int // channels that a tile's sum takes at a time
	plane  int // window elements of one shifted copy of a channel
	stride int // window elements of one channel
	off    []int32

	reverse          bool
	in, weights, out []float32
	packed           []float32
	scratch          []convScratch
	finish           finisher
	packJob          func(chunk, worker int)
	mainJob          func(chunk, worker int)
}

// convScratch is the memory of one worker: the window holds strip number held.
type convScratch struct {
	window, edge []float32
	held         int
}

func newConv(b *Backend, s convShape, reverse bool, finish finisher) *conv {
	c := &conv{convShape: s, b: b, k: b.k, reverse: reverse, finish: finish}
	c.plan()
	c.offsets()
	c.scratch = make([]convScratch, b.pool.Threads())
	c.packJob, c.mainJob = c.packPanel, c.chunk
	return c
}

// shifts returns the number of shifted copies, halo the extra rows of a strip.
func (c *conv) shifts() int { return c.kernel }
func (c *conv) halo() int   { return c.kernel - 1 }

// plan chooses the blocking from the shape alone. Of its choices only block
// changes results, by the order of additions, so it must depend neither on the
// batch nor on the tile of an implementation.
func (c *conv) plan() {
	fit := windowFloats/(c.depth*c.shifts()*c.w) - c.halo()
	c.strips = max(ceilDiv(c.h, max(fit, 1)), min(ceilDiv(fewChunks, c.n), ceilDiv(c.h, 8)))
	c.rows = ceilDiv(c.h, c.strips)
	c.strips = ceilDiv(c.h, c.rows)
	panels := ceilDiv(c.width, c.k.rows)
	c.split = min(ceilDiv(fewChunks, c.n*c.strips), ceilDiv(c.width, 32))
	c.part = ceilDiv(panels, c.split)
	c.split = ceilDiv(panels, c.part)
	c.plane = (c.rows + c.halo()) * c.w
	// An odd number of cache lines spreads the channels over all sets.
	c.stride = roundUp(c.shifts()*c.plane, 16) | 16
	reads := c.shifts() * (maxColumns + c.halo()*c.w)
	blocks := ceilDiv(c.depth, max(l1Floats/reads, 8))
	c.block = ceilDiv(c.depth, blocks)
}

// offsets lists where the elements of a block of channels are in the window.
func (c *conv) offsets() {
	for ch := range c.block {
		for t := range c.taps() {
			ky, kx := t/c.kernel, t%c.kernel
			if c.reverse {
				ky, kx = c.kernel-1-ky, c.kernel-1-kx
			}
			c.off = append(c.off, int32(ch*c.stride+kx*c.plane+ky*c.w))
		}
	}
}

func (c *conv) sum() int       { return c.depth * c.taps() }
func (c *conv) packedLen() int { return roundUp(c.width, c.k.rows) * c.sum() }
func (c *conv) windowLen() int { return c.depth*c.stride + maxVectors*c.k.lanes }

// workspace returns the elements of scratch memory that run wants.
func (c *conv) workspace() int {
	return workspace(len(c.scratch), []int{c.packedLen()}, []int{c.windowLen(), maxTile})
}

// run computes y; finish, if not nil, is called for every finished block of
// rows [y0,y1) of output channels [from,to) of image n.
func (c *conv) run(y, x, w, work []float32, _ uint64) {
	c.in, c.weights, c.out = x, w, y
	m := carve(work)
	c.packed = m.take(c.packedLen())
	for i := range c.scratch {
		c.scratch[i] = convScratch{window: m.take(c.windowLen()), edge: m.take(maxTile), held: -1}
	}
	c.b.pool.Parallel(ceilDiv(c.width, c.k.rows), c.packJob)
	c.b.pool.Parallel(c.n*c.strips*c.split, c.mainJob)
}

// packPanel packs the weights of one panel: [depth][taps][rows].
func (c *conv) packPanel(p, _ int) {
	rows, first := c.k.rows, p*c.k.rows
	valid := min(rows, c.width-first)
	dst := c.packed[p*rows*c.sum():]
	if !c.reverse {
		c.k.interleave(dst, c.weights[first*c.sum():], valid, rows, c.sum(), c.sum(), rows)
		return
	}
	taps := c.taps()
	for ch := range c.depth {
		c.k.interleave(dst[ch*taps*rows:], c.weights[(ch*c.width+first)*taps:], valid, rows, taps, taps, rows)
	}
}

// chunk computes one strip of one image for one part of the output channels.
func (c *conv) chunk(chunk, worker int) {
	s := &c.scratch[worker]
	unit, part := chunk/c.split, chunk%c.split
	n, strip := unit/c.strips, unit%c.strips
	y0 := strip * c.rows
	y1 := min(y0+c.rows, c.h)
	if s.held != unit {
		c.fill(s.window, n, y0, y1)
		s.held = unit
	}
	from := part * c.part * c.k.rows
	to := min(from+c.part*c.k.rows, c.width)
	a := c.packed[from*c.sum():]
	out := c.out[(n*c.width+from)*c.pixels()+y0*c.w:]
	t := c.k.tiles((y1 - y0) * c.w)
	for i := range t.count {
		p, cols := t.at(i)
		for ch := 0; ch < c.depth; ch += c.block {
			off := c.off[:min(c.block, c.depth-ch)*c.taps()]
			c.k.multiply(a[ch*c.taps()*c.k.rows:], s.window[ch*c.stride+p:], off, out[p:],
				c.pixels(), to-from, cols, c.sum()*c.k.rows, ch > 0, s.edge)
		}
	}
	if c.finish != nil {
		c.finish(n, from, to, y0, y1)
	}
}

// fill copies rows [y0,y1) of image n, with halo, into the window.
func (c *conv) fill(window []float32, n, y0, y1 int) {
	pad := c.halo() / 2
	top, bottom := max(y0-pad, 0), min(y1+pad, c.h)
	size := (bottom - top) * c.w
	for ch := range c.depth {
		at := (n*c.depth+ch)*c.pixels() + top*c.w
		src := c.in[at : at+size]
		dst := window[ch*c.stride : (ch+1)*c.stride]
		used := (y1 - y0 + 2) * c.w
		for kx := range 3 {
			plane := dst[kx*c.plane : kx*c.plane+used]
			lead := (top - (y0 - 1)) * c.w
			clear(plane[:lead])
			clear(plane[lead+size:])
			shifted(plane[lead:lead+size], src, kx-1, c.w)
		}
	}
}

// shifted copies rows of w pixels such that pixel x becomes pixel x+shift of
// the source, zero outside the row.
func shifted(dst, src []float32, shift, w int) {
	switch shift {
	case 0:
		copy(dst, src)
	case -1:
		copy(dst[1:], src)
		for i := 0; i < len(dst); i += w {
			dst[i] = 0
		}
	case 1:
		copy(dst, src[1:])
		for i := w - 1; i < len(dst); i += w {
			dst[i] = 0
		}
	}
}
