package cpu

// The blocking of the gradient by weights aims at these sizes.
const (
	gradientChannels = 64        // input and output channels of a chunk
	gradientFloats   = 200 << 10 // transformed tiles of a block, of input and gradient together
	gradientChunks   = 8         // chunks, if there are as many blocks of tiles
)

// winogradWeights computes the gradient of a 3x3 convolution by its weights by
// F(4x4,3x3). A chunk of work is a square of channels and a part of the tiles:
// it transforms them block by block, adds their products in the frequency domain
// and transforms the sum back. The parts are added in their order, so every cut
// but that of the channels affects rounding and depends on the shape alone.
type winogradWeights struct {
	tiling
	filters
	b     *Backend
	scale float32

	block           int // rows of tiles in a block
	parts, partRows int // parts of the tiles; rows of tiles in a part
	tiles           int // tiles of a block
	inParts, inSize int // parts of the input channels; channels in a part, whole blocks
	outParts        int
	outSize         int

	dw, x, g []float32
	partials []float32 // [part][block of output channels][input channel, padded][9][lanes]
	workers  []gradientScratch

	mainJob, writeJob func(chunk, worker int)
}

// gradientScratch is the memory of one worker.
type gradientScratch struct {
	stage, half   []float32
	input, output []float32 // transformed tiles of the input and of the gradient
	products      []float32
}

// chooseWinogradWeights returns the arrangement that suits a layer.
func chooseWinogradWeights(b *Backend, n, cin, cout, h, w int, scale float32) weightsConvolver {
	if (convShape{n: n, depth: cin, width: cout, h: h, w: w}).deepWeights() {
		return newWinogradDeepWeights(b, n, cin, cout, h, w, scale)
	}
	return newWinogradWeights(b, n, cin, cout, h, w, scale)
}

// deepWeights tells whether a gradient by weights is a deep one. Squares of
// channels transform their tiles over and over; so four of them in each direction
// are too many, and two if there are too few tiles to cut.
func (s convShape) deepWeights() bool {
	squares := ceilDiv(min(s.depth, s.width), gradientChannels)
	return squares > 2 || squares == 2 && s.winogradTiles() <= gradientTiles/2
}

func newWinogradWeights(b *Backend, n, cin, cout, h, w int, scale float32) *winogradWeights {
	c := &winogradWeights{tiling: newTiling(b.k, n, h, w), filters: filters{k: b.k, cin: cin, cout: cout}, b: b, scale: scale}
	c.inParts, c.inSize = squares(cin, b.k.lanes)
	c.outParts, c.outSize = squares(cout, b.k.lanes)
	rows := c.tileRows()
	// The size of a block decides the order of additions, so it must not depend
	// on the vector's width.
	fit := gradientFloats / frequencies / (min(cin, gradientChannels) + min(cout, gradientChannels))
	c.block = min(max(fit/c.across, 1), rows)
	c.parts = min(ceilDiv(gradientChunks, ceilDiv(cin, gradientChannels)*ceilDiv(cout, gradientChannels)), ceilDiv(rows, c.block))
	c.partRows = ceilDiv(rows, c.parts)
	c.parts = ceilDiv(rows, c.partRows)
	c.block = ceilDiv(c.partRows, ceilDiv(c.partRows, c.block))
	c.tiles = c.block * c.across
	c.workers = make([]gradientScratch, b.pool.Threads())
	c.mainJob, c.writeJob = c.chunk, c.write
	return c
}

// squares cuts channels into parts of whole blocks.
func squares(channels, lanes int) (parts, size int) {
	parts = ceilDiv(channels, gradientChannels)
	size = roundUp(ceilDiv(channels, parts), lanes)
	return ceilDiv(channels, size), size
}

func (c *winogradWeights) inputStride() int   { return c.tiles*c.inSize + lineFloats }
func (c *winogradWeights) outputStride() int  { return c.tiles*c.outSize + lineFloats }
func (c *winogradWeights) productStride() int { return c.inSize*c.outSize + lineFloats }

// blockLen returns the elements of one block of output channels of a part.
func (c *winogradWeights) blockLen() int {
	return roundUp(c.filters.cin, c.lanes) * taps3x3 * c.lanes
}

func (c *winogradWeights) partLen() int { return ceilDiv(c.filters.cout, c.lanes) * c.blockLen() }

func (c *winogradWeights) lengths() (shared int, own [5]int) {
	stage := max(c.tiling.stageLen(), c.filters.stageLen())
	return c.parts * c.partLen(), [5]int{stage, stage,
		frequencies * c.inputStride(), frequencies * c.outputStride(), frequencies * c.productStride()}
}

func (c *winogradWeights) workspace() int {
	shared, own := c.lengths()
	return workspace(len(c.workers), []int{shared}, own[:])
}

func (c *winogradWeights) run(dw, x, g, work []float32) {
	c.dw, c.x, c.g = dw, x, g
	shared, own := c.lengths()
	m := carve(work)
	c.partials = m.take(shared)
	for i := range c.workers {
		c.workers[i] = gradientScratch{m.take(own[0]), m.take(own[1]), m.take(own[2]), m.take(own[3]), m.take(own[4])}
	}
	c.b.pool.Parallel(c.parts*c.inParts*c.outParts, c.mainJob)
	c.b.pool.Parallel(ceilDiv(c.filters.cout, c.lanes), c.writeJob)
}

// chunk computes the sums of one part of the tiles for one square of channels.
func (c *winogradWeights) chunk(chunk, worker int) {
	part, square := chunk/(c.inParts*c.outParts), chunk%(c.inParts*c.outParts)
	in, out := square/c.outParts*c.inSize, square%c.outParts*c.outSize
	inBlocks := ceilDiv(min(c.inSize, c.filters.cin-in), c.lanes)
	outBlocks := ceilDiv(min(c.outSize, c.filters.cout-out), c.lanes)
	s := &c.workers[worker]
	end := min((part+1)*c.partRows, c.tileRows())
	for from := part * c.partRows; from < end; from += c.block {
		to := min(from+c.block, end)
		for i := range inBlocks {
			c.tiling.load(s.input[i*c.tiles*c.lanes:], c.inputStride(), c.b.k.winograd.input, 1,
				c.x, c.filters.cin, in+i*c.lanes, from, to, s.stage, s.half)
		}
		for i := range outBlocks {
			c.tiling.load(s.output[i*c.tiles*c.lanes:], c.outputStride(), c.b.k.winograd.spread, 0,
				c.g, c.filters.cout, out+i*c.lanes, from, to, s.stage, s.half)
		}
		c.accumulate(s, inBlocks, outBlocks, (to-from)*c.across, from > part*c.partRows)
	}
	for i := range outBlocks {
		dst := c.partials[part*c.partLen()+(out/c.lanes+i)*c.blockLen()+in*taps3x3*c.lanes:]
		c.filters.gradient(dst, s.products[i*c.inSize*c.lanes:], c.productStride(), inBlocks*c.lanes, s.half)
	}
}

// accumulate adds the products of a block of tiles to the sums of a square.
func (c *winogradWeights) accumulate(s *gradientScratch, inBlocks, outBlocks, tiles int, continued bool) {
	add, size := 0, c.tiles*c.lanes
	if continued {
		add = 1
	}
	for q := range frequencies {
		a, b, p := s.input[q*c.inputStride():], s.output[q*c.outputStride():], s.products[q*c.productStride():]
		for o := 0; o < outBlocks; o += winogradPair {
			gradient := c.b.k.winograd.gradient[min(winogradPair, outBlocks-o)]
			gradient(p[o*c.inSize*c.lanes:], a, b[o*size:], tiles, inBlocks, c.inSize*c.lanes, size, size, add)
		}
	}
}

// write adds the parts of one block of output channels and moves the sums to
// [cout][cin][3][3].
func (c *winogradWeights) write(block, _ int) {
	sums := c.partials[block*c.blockLen():][:c.filters.cin*taps3x3*c.lanes]
	for part := 1; part < c.parts; part++ {
		c.b.k.axpby(sums, sums, c.partials[part*c.partLen()+block*c.blockLen():][:len(sums)], 1, 1, 0)
	}
	c.filters.write(c.dw, sums, block, c.scale)
}
