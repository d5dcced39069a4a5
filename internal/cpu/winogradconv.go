package cpu

// The blocking of a Winograd convolution aims at these sizes.
const (
	winogradFloats = 400 << 10 // transformed tiles and products of a block: three quarters of a 2 MiB L2 cache
	winogradTiles  = 64        // tiles of a block, at most
	winogradFit    = 32        // a block that holds fewer tiles rereads the filters too often
	keptFloats     = 1 << 20   // transformed filters that are kept for the next run, at most
	winogradPair   = 2         // blocks of output channels that a product takes
)

// winogradConv computes a 3x3 convolution, or its gradient by data, by
// F(4x4,3x3). Tiles are taken in blocks of whole rows of tiles. If one block
// holds all tiles, its transform is shared and the work is cut along the output
// channels, with the filters transformed where they are used; otherwise the
// filters are transformed first and a chunk of work is a block of tiles. With
// many input channels neither keeps its operands in the L2 cache, and
// winograddeep.go is faster.
//
// Each of an image's results depends on its own pixels alone, and its sum runs
// over the input channels in order, so the cuts do not change it.
type winogradConv struct {
	convShape
	tiling
	filters
	b       *Backend
	reverse bool

	block  int // rows of tiles in a block
	blocks int
	parts  int // of the output channels, a chunk of work each
	pairs  int // pairs of blocks of output channels
	tiles  int // tiles of a block, padded for the product
	depth  int // input channels, padded
	width  int // output channels, padded
	deep   bool

	in, out, weights []float32
	workers          []winogradScratch
	finish           finisher

	allFilters    []float32 // transformed, unless every chunk transforms its own
	allTiles      []float32 // transformed, of the block, if chunks share them
	allProducts   []float32 // of a deep convolution
	filterStride  int       // elements between two frequencies of the filters in use
	filtersInside bool      // chunks transform their own filters
	from, to      int       // rows of tiles of the current block of a deep convolution

	kept        []float32 // transformed filters of version keptVersion
	keptVersion uint64

	filterJob, tilesJob, mainJob, storeJob func(chunk, worker int)
}

// winogradScratch is the memory of one worker.
type winogradScratch struct {
	stage, half []float32
	own         []float32 // tiles, or the filters of one pair if chunks share the tiles
	products    []float32
}

func newWinogradConv(b *Backend, s convShape, reverse bool, finish finisher) *winogradConv {
	c := &winogradConv{convShape: s, tiling: newTiling(b.k, s.n, s.h, s.w), b: b, reverse: reverse, finish: finish}
	c.filters = filters{k: b.k, cin: s.depth, cout: s.width}
	if reverse {
		c.filters.cin, c.filters.cout = s.width, s.depth
	}
	c.depth, c.width = c.filters.depth(reverse), c.filters.width(reverse)
	c.pairs = ceilDiv(c.width, winogradPair*b.k.lanes)
	c.plan()
	c.workers = make([]winogradScratch, b.pool.Threads())
	c.filterJob, c.tilesJob, c.mainJob = c.transformFilters, c.transformTiles, c.chunk
	if c.deep {
		c.tilesJob, c.mainJob, c.storeJob = c.deepTransform, c.deepProduct, c.deepStore
	}
	return c
}

// plan chooses blocks and parts by the shape alone.
func (c *winogradConv) plan() {
	rows, across := c.tileRows(), c.tiling.across
	fit := min(winogradFloats/(frequencies*(c.depth+winogradPair*c.b.k.lanes)), winogradTiles)
	c.deep = rows*across > winogradTiles && fit < winogradFit
	if c.deep {
		fit = deepTiles
	}
	c.block = min(max(fit/across, 1), rows)
	if rows*across <= winogradTiles {
		c.block = rows
	}
	c.blocks = ceilDiv(rows, c.block)
	c.block = ceilDiv(rows, c.blocks)
	c.blocks = ceilDiv(rows, c.block)
	c.tiles = roundUp(c.block*across, c.b.k.winograd.rows)
	c.parts = 1
	if c.blocks == 1 && !c.deep {
		c.parts = c.pairs
	}
}

// A distance between frequencies that is no power of two spreads them over all
// sets of the caches.
func (c *winogradConv) tileStride() int { return c.tiles*c.depth + lineFloats }
func (c *winogradConv) productStride() int {
	if c.deep {
		return c.tiles*c.width + lineFloats
	}
	return c.tiles*winogradPair*c.b.k.lanes + lineFloats
}

// wholeStride and pairStride are the distances between frequencies of all
// filters and of those of a pair of blocks of output channels.
func (c *winogradConv) wholeStride() int { return c.depth*c.width + lineFloats }
func (c *winogradConv) pairStride() int  { return c.depth*winogradPair*c.b.k.lanes + lineFloats }

// oneBlock tells whether chunks are parts of the output channels of all tiles.
func (c *winogradConv) oneBlock() bool { return c.blocks == 1 && !c.deep }

// lengths returns the elements of the shared and of a worker's own memory.
func (c *winogradConv) lengths() (filters, tiles, products int, own [4]int) {
	filters, tiles, products = frequencies*c.wholeStride(), frequencies*c.tileStride(), frequencies*c.productStride()
	stage := max(c.tiling.stageLen(), c.filters.stageLen())
	switch {
	case c.deep:
		return filters, tiles, products, [4]int{stage, stage, 0, 0}
	case c.oneBlock():
		return 0, tiles, 0, [4]int{stage, stage, frequencies * c.pairStride(), products}
	}
	return filters, 0, 0, [4]int{stage, stage, tiles, products}
}

func (c *winogradConv) workspace() int {
	filters, tiles, products, own := c.lengths()
	return workspace(len(c.workers), []int{filters, tiles, products}, own[:])
}

func (c *winogradConv) run(out, in, weights, work []float32, version uint64) {
	c.out, c.in, c.weights = out, in, weights
	filters, tiles, products, own := c.lengths()
	m := carve(work)
	c.allFilters, c.allTiles, c.allProducts = m.take(filters), m.take(tiles), m.take(products)
	for i := range c.workers {
		c.workers[i] = winogradScratch{m.take(own[0]), m.take(own[1]), m.take(own[2]), m.take(own[3])}
	}
	c.prepareFilters(version)
	switch {
	case c.deep:
		c.runDeep()
		return
	case c.oneBlock():
		c.b.pool.Parallel(c.depth/c.b.k.lanes, c.tilesJob)
	}
	c.b.pool.Parallel(c.blocks*c.parts, c.mainJob)
}

// prepareFilters transforms the filters for all chunks, unless each does so for
// itself. Those of weights that stay the same are kept if they are small: larger
// ones take longer to read from memory than to transform again.
func (c *winogradConv) prepareFilters(version uint64) {
	keep := version != 0 && frequencies*c.wholeStride() <= keptFloats
	c.filtersInside = c.oneBlock() && !keep
	c.filterStride = c.wholeStride()
	if c.filtersInside {
		c.filterStride = c.pairStride()
		return
	}
	if keep {
		if c.kept == nil {
			c.kept = make([]float32, frequencies*c.wholeStride())
		}
		c.allFilters = c.kept
		if c.keptVersion == version {
			return
		}
		c.keptVersion = 0 // of no version until they are whole
	}
	c.b.pool.Parallel(c.width/c.b.k.lanes, c.filterJob)
	if keep {
		c.keptVersion = version
	}
}

// transformFilters transforms one block of output channels for all chunks.
func (c *winogradConv) transformFilters(block, worker int) {
	s := &c.workers[worker]
	c.filters.transform(c.allFilters[block*c.depth*c.b.k.lanes:], c.filterStride, c.weights, block, c.reverse, s.stage, s.half)
}

// transformTiles transforms one block of input channels for all chunks.
func (c *winogradConv) transformTiles(block, worker int) {
	c.loadBlock(c.allTiles, block, 0, c.tileRows(), &c.workers[worker])
}

// loadBlock transforms one block of input channels of rows of tiles [from,to);
// tiles that only fill up the last group are zero.
func (c *winogradConv) loadBlock(dst []float32, block, from, to int, s *winogradScratch) {
	lanes := c.b.k.lanes
	dst = dst[block*c.tiles*lanes:]
	c.tiling.load(dst, c.tileStride(), c.b.k.winograd.input, 1, c.in, c.convShape.depth, block*lanes, from, to, s.stage, s.half)
	if used := (to - from) * c.across; used < c.tiles {
		for q := range frequencies {
			clear(dst[q*c.tileStride()+used*lanes : q*c.tileStride()+c.tiles*lanes])
		}
	}
}

// chunk computes one part of the output channels of one block of tiles.
func (c *winogradConv) chunk(chunk, worker int) {
	s, lanes := &c.workers[worker], c.b.k.lanes
	from := chunk / c.parts * c.block
	to := min(from+c.block, c.tileRows())
	if !c.oneBlock() {
		for block := range c.depth / lanes {
			c.loadBlock(s.own, block, from, to, s)
		}
		for pair := range c.pairs {
			c.pair(s.own, c.pairFilters(pair), pair, from, to, s)
		}
		return
	}
	pair := chunk % c.parts
	if !c.filtersInside {
		c.pair(c.allTiles, c.pairFilters(pair), pair, from, to, s)
		return
	}
	first := pair * winogradPair
	for block := first; block < min(first+winogradPair, c.width/lanes); block++ {
		c.filters.transform(s.own[(block-first)*c.depth*lanes:], c.filterStride, c.weights, block, c.reverse, s.stage, s.half)
	}
	c.pair(c.allTiles, s.own, pair, from, to, s)
}

// pairFilters returns the filters of a pair among all.
func (c *winogradConv) pairFilters(pair int) []float32 {
	return c.allFilters[pair*winogradPair*c.depth*c.b.k.lanes:]
}

// next returns what the product of frequency q reads from the cache that all
// cores share: count blocks of filters, or the tiles if there is one block.
func (c *winogradConv) next(tiles, filters []float32, q, count int) []float32 {
	if q == frequencies {
		return nil
	}
	if c.oneBlock() {
		return tiles[q*c.tileStride():][:c.tiles*c.depth]
	}
	return filters[q*c.filterStride:][:count*c.depth*c.b.k.lanes]
}

// pair computes a pair of blocks of output channels from transformed tiles and
// filters.
func (c *winogradConv) pair(tiles, filters []float32, pair, from, to int, s *winogradScratch) {
	lanes, first := c.b.k.lanes, pair*winogradPair
	count := min(winogradPair, c.width/lanes-first)
	product := c.b.k.winograd.product[count]
	groups := ceilDiv((to-from)*c.across, c.b.k.winograd.rows)
	for q := range frequencies {
		product(s.products[q*c.productStride():], tiles[q*c.tileStride():], filters[q*c.filterStride:], c.next(tiles, filters, q+1, count),
			groups, c.depth/lanes, c.tiles*lanes, c.tiles*lanes, c.depth*lanes)
	}
	c.complete(s.products, c.tiles*lanes, first, count, from, to, s)
}

// complete transforms the products of count blocks of output channels back,
// stride elements apart, and finishes them.
func (c *winogradConv) complete(products []float32, stride, first, count, from, to int, s *winogradScratch) {
	lanes := c.b.k.lanes
	for i := range count {
		c.tiling.store(c.out, c.convShape.width, (first+i)*lanes, from, to, products[i*stride:], c.productStride(), s.stage, s.half)
	}
	if c.finish == nil {
		return
	}
	channels := min((first+count)*lanes, c.convShape.width)
	for r := from; r < to; {
		n, top := r/c.down, r%c.down
		rows := min(to-r, c.down-top)
		c.finish(n, first*lanes, channels, top*tileOut, min((top+rows)*tileOut, c.convShape.h))
		r += rows
	}
}
