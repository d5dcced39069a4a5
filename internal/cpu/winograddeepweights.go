package cpu

// gradientTiles is the number of tiles of a block of a deep gradient by weights,
// at most.
const gradientTiles = 256

// winogradDeepWeights is winogradWeights for many channels. A block of tiles is
// large and passes through memory between the steps - the transforms and the
// products of one frequency after the other - so that each tile is transformed
// once.
type winogradDeepWeights struct {
	tiling
	filters
	b     *Backend
	scale float32

	block         int // rows of tiles in a block
	tiles         int // tiles of a block
	inBlocks      int // blocks of input channels
	outBlocks     int
	from, to      int // rows of tiles of the current block
	dw, x, g      []float32
	input, output []float32 // transformed tiles of the input and of the gradient
	sums          []float32 // [36][block of output channels][input channel][lanes]
	workers       []deepScratch

	loadJob, productJob, writeJob func(chunk, worker int)
}

// deepScratch is the memory of one worker.
type deepScratch struct{ stage, half, filters []float32 }

func newWinogradDeepWeights(b *Backend, n, cin, cout, h, w int, scale float32) *winogradDeepWeights {
	c := &winogradDeepWeights{tiling: newTiling(b.k, n, h, w), filters: filters{k: b.k, cin: cin, cout: cout}, b: b, scale: scale}
	c.inBlocks, c.outBlocks = ceilDiv(cin, c.lanes), ceilDiv(cout, c.lanes)
	rows := c.tileRows()
	c.block = min(max(gradientTiles/c.across, 1), rows)
	c.block = ceilDiv(rows, ceilDiv(rows, c.block))
	c.tiles = c.block * c.across
	c.workers = make([]deepScratch, b.pool.Threads())
	c.loadJob, c.productJob, c.writeJob = c.load, c.product, c.write
	return c
}

func (c *winogradDeepWeights) inputStride() int  { return c.tiles*c.inBlocks*c.lanes + lineFloats }
func (c *winogradDeepWeights) outputStride() int { return c.tiles*c.outBlocks*c.lanes + lineFloats }
func (c *winogradDeepWeights) sumsStride() int {
	return c.inBlocks*c.outBlocks*c.lanes*c.lanes + lineFloats
}

func (c *winogradDeepWeights) lengths() (shared, own [3]int) {
	stage := max(c.tiling.stageLen(), c.filters.stageLen())
	return [3]int{frequencies * c.inputStride(), frequencies * c.outputStride(), frequencies * c.sumsStride()},
		[3]int{stage, stage, c.inBlocks * c.lanes * taps3x3 * c.lanes}
}

func (c *winogradDeepWeights) workspace() int {
	shared, own := c.lengths()
	return workspace(len(c.workers), shared[:], own[:])
}

func (c *winogradDeepWeights) run(dw, x, g, work []float32) {
	c.dw, c.x, c.g = dw, x, g
	shared, own := c.lengths()
	m := carve(work)
	c.input, c.output, c.sums = m.take(shared[0]), m.take(shared[1]), m.take(shared[2])
	for i := range c.workers {
		c.workers[i] = deepScratch{m.take(own[0]), m.take(own[1]), m.take(own[2])}
	}
	for c.from = 0; c.from < c.tileRows(); c.from += c.block {
		c.to = min(c.from+c.block, c.tileRows())
		c.b.pool.Parallel(c.inBlocks+c.outBlocks, c.loadJob)
		c.b.pool.Parallel(frequencies, c.productJob)
	}
	c.b.pool.Parallel(c.outBlocks, c.writeJob)
}

// load transforms one block of channels of the input or of the gradient.
func (c *winogradDeepWeights) load(block, worker int) {
	s, size, set := &c.workers[worker], c.tiles*c.lanes, &c.b.k.winograd
	if block < c.inBlocks {
		c.tiling.load(c.input[block*size:], c.inputStride(), set.input, 1,
			c.x, c.filters.cin, block*c.lanes, c.from, c.to, s.stage, s.half)
		return
	}
	block -= c.inBlocks
	c.tiling.load(c.output[block*size:], c.outputStride(), set.spread, 0,
		c.g, c.filters.cout, block*c.lanes, c.from, c.to, s.stage, s.half)
}

// product adds the products of all channels of frequency q.
func (c *winogradDeepWeights) product(q, _ int) {
	size, rows, tiles := c.tiles*c.lanes, c.inBlocks*c.lanes*c.lanes, (c.to-c.from)*c.across
	a, b, p := c.input[q*c.inputStride():], c.output[q*c.outputStride():], c.sums[q*c.sumsStride():]
	for o := 0; o < c.outBlocks; o += winogradPair {
		gradient := c.b.k.winograd.gradient[min(winogradPair, c.outBlocks-o)]
		gradient(p[o*rows:], a, b[o*size:], tiles, c.inBlocks, rows, size, size, min(c.from, 1))
	}
}

// write transforms the sums of one block of output channels back and moves them
// to [cout][cin][3][3].
func (c *winogradDeepWeights) write(block, worker int) {
	s, rows := &c.workers[worker], c.inBlocks*c.lanes*c.lanes
	c.filters.gradient(s.filters, c.sums[block*rows:], c.sumsStride(), c.inBlocks*c.lanes, s.half)
	c.filters.write(c.dw, s.filters[:c.filters.cin*taps3x3*c.lanes], block, c.scale)
}
