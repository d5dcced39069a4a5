package cpu

import (
	"edm/internal/engine"
	"edm/internal/op"
)

// conv1x1Weights computes the gradient of a 1x1 convolution by its weights,
//
//	dw[co][ci] = scale * sum over images and pixels of g[co][p] * x[ci][p],
//
// a matrix product whose sum goes over pixels. The operand with fewer channels
// is transposed, a block of pixels at a time, to be the B of the tiles; the
// other is read where it is, since A may have any strides. While a block is
// multiplied the next one is fetched. Blocks are shared out in segments, each
// with its own sums; those are added in their order.
type conv1x1Weights struct {
	b           *Backend
	k           *kernels
	pixels      int
	rows, cols  int  // channels that are read in place, and transposed
	swapped     bool // the rows are those of x, so the sums are dw transposed
	scale       float32
	steps       int // pixels in a block
	strips      int // blocks of an image
	blocks      int
	segments    int
	part, parts int // rows of a chunk; chunks of a segment
	scratch     []conv1x1WeightsScratch

	linesT, linesA []int32 // of a block of the transposed operand and of the other

	a, t, dw, sums []float32
	multiplyJob    func(chunk, worker int)
	addJob         func(chunk, worker int)
}

type conv1x1WeightsScratch struct {
	tileScratch
	transposed []float32 // tile after tile: [steps][columns of the tile]
}

// The aims of the blocking of the gradient by weights.
const (
	pixelBlock   = 128       // a tile's B in the L1 cache
	segmentSums  = 256 << 10 // sums of all segments
	mostSegments = 16
	leastRows    = 64 // of a part: each transposes all columns again
)

func newConv1x1Weights(b *Backend, n, cin, cout, pixels int, scale float64) *conv1x1Weights {
	c := &conv1x1Weights{b: b, k: b.k, pixels: pixels, rows: cout, cols: cin, scale: float32(scale)}
	if cout < cin {
		c.rows, c.cols, c.swapped = cin, cout, true
	}
	c.strips = ceilDiv(pixels, pixelBlock)
	c.steps = ceilDiv(pixels, c.strips)
	c.strips = ceilDiv(pixels, c.steps)
	c.blocks = n * c.strips
	c.segments = max(min(segmentSums/(c.rows*c.cols), mostSegments, c.blocks), 1)
	c.parts = min(ceilDiv(mostSegments/2, c.segments), ceilDiv(c.rows, leastRows))
	c.part = roundUp(ceilDiv(c.rows, c.parts), maxRows)
	c.parts = ceilDiv(c.rows, c.part)
	c.linesT, c.linesA = lineStarts(c.cols, c.steps, pixels), lineStarts(c.part, c.steps, pixels)
	c.scratch = make([]conv1x1WeightsScratch, b.pool.Threads())
	c.multiplyJob, c.addJob = c.multiply, c.add
	return c
}

// stride returns the elements between rows of the sums, sumsLen those of a
// segment and transposedLen those of a transposed block.
func (c *conv1x1Weights) stride() int        { return roundUp(c.cols, lineFloats) }
func (c *conv1x1Weights) sumsLen() int       { return c.rows * c.stride() }
func (c *conv1x1Weights) transposedLen() int { return c.steps * c.stride() }

// Workspace implements engine.Kernel.
func (c *conv1x1Weights) Workspace() int {
	return workspace(len(c.scratch), []int{c.segments * c.sumsLen()}, []int{tileScratchLen, c.transposedLen()})
}

func (c *conv1x1Weights) run(dw, x, g, work []float32) {
	c.dw, c.a, c.t = dw, g, x
	if c.swapped {
		c.a, c.t = x, g
	}
	m := carve(work)
	c.sums = m.take(c.segments * c.sumsLen())
	for i := range c.scratch {
		s := &c.scratch[i]
		s.take(m.take(tileScratchLen))
		s.transposed = m.take(c.transposedLen())
	}
	c.b.pool.Parallel(c.segments*c.parts, c.multiplyJob)
	c.b.pool.Parallel(ceilDiv(c.rows, maxRows), c.addJob)
}

// block returns where block i starts in the operands, for the part of the rows
// that begins with row from, and its pixels.
func (c *conv1x1Weights) block(i, from int) (a, t []float32, steps int) {
	n, p := i/c.strips, i%c.strips*c.steps
	return c.a[(n*c.rows+from)*c.pixels+p:], c.t[n*c.cols*c.pixels+p:], min(c.steps, c.pixels-p)
}

// multiply sums the blocks of one segment for one part of the rows.
func (c *conv1x1Weights) multiply(chunk, worker int) {
	s := &c.scratch[worker]
	segment, from := chunk/c.parts, chunk%c.parts*c.part
	rows := min(c.part, c.rows-from)
	first, last := segment*c.blocks/c.segments, (segment+1)*c.blocks/c.segments
	for i := first; i < last; i++ {
		a, t, steps := c.block(i, from)
		tiles := c.k.tiles(c.cols)
		s.fetch.start(c.comingUp(i+1, last, from), tiles.count*(rows/c.k.rows)*(steps/fetchSteps))
		for n := range tiles.count {
			at, cols := tiles.at(n)
			wide := roundUp(cols, c.k.lanes)
			b := s.transposed[at*c.steps:]
			c.k.interleave(b, t[at*c.pixels:], cols, wide, c.pixels, steps, wide)
			s.args = tileArgs{
				a: a, aRow: c.pixels, aStep: 1, b: b, bStep: wide, depth: steps,
				c: c.sums[segment*c.sumsLen()+from*c.stride()+at:], ldc: c.stride(),
				accumulate: min(i-first, 1),
			}
			c.k.column(&s.tileScratch, rows, wide)
		}
	}
}

// comingUp lists the fetches for block i, if it is before the last.
func (c *conv1x1Weights) comingUp(i, last, from int) (lists fetchLists) {
	if i < last {
		a, t, _ := c.block(i, from)
		lists[0], lists[1] = fetchList{t, c.linesT}, fetchList{a, c.linesA}
	}
	return lists
}

// add adds the segments of some rows and writes the gradient.
func (c *conv1x1Weights) add(chunk, _ int) {
	from := chunk * maxRows
	count := min(maxRows, c.rows-from)
	sums := c.sums[from*c.stride() : (from+count)*c.stride()]
	for s := 1; s < c.segments; s++ {
		c.k.axpby(sums, sums, c.sums[s*c.sumsLen()+from*c.stride():], 1, 1, 0)
	}
	c.k.affine(sums, sums, c.scale, 0)
	if c.swapped {
		c.k.transpose(c.dw[from:], sums, count, c.cols, c.rows, c.stride())
		return
	}
	copyTile(c.dw[from*c.cols:], sums, count, c.cols, c.cols, c.stride())
}

// conv1x1WeightsKernel is op.Conv2DWeights with a kernel of one pixel.
type conv1x1WeightsKernel struct{ *conv1x1Weights }

func newConv1x1WeightsKernel(b *Backend, s op.Conv2DWeights, c engine.Call) conv1x1WeightsKernel {
	x, g := c.In[0], c.In[1]
	return conv1x1WeightsKernel{newConv1x1Weights(b, x[0], x[1], g[1], x[2]*x[3], s.Scale)}
}

// Run implements engine.Kernel.
func (k conv1x1WeightsKernel) Run(a *engine.Args) {
	k.run(a.Out.F32, a.In[0].F32, a.In[1].F32, a.Work.F32)
}
