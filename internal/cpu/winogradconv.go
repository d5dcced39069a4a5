package cpu

// The blocking of a Winograd convolution aims at these sizes.
const (
	winogradFloats = 400 << 10 // transformed tiles and products of a block: three quarters of a 2 MiB L2 cache
	winogradTiles  = 64        // tiles of a block, at most
	winogradPair   = 2         // blocks of output channels that a product takes
)

// winogradConv computes a 3x3 convolution, or its gradient by data, by
// F(4x4,3x3). Tiles are taken in blocks of whole rows of tiles. If one block
// holds all tiles, its transform is shared and the work is cut along the output
// channels, with the filters transformed where they are used; otherwise the
// filters are transformed first and a chunk of work is a block of tiles.
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

	in, out, weights []float32
	shared           []float32 // transformed filters, or the tiles if there is one block
	workers          []winogradScratch
	finish           finisher

	filterJob, tilesJob, mainJob func(chunk, worker int)
}

// winogradScratch is the memory of one worker.
type winogradScratch struct {
	stage, half []float32
	own         []float32 // tiles, or the filters of one pair if there is one block
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
	return c
}

// plan chooses blocks and parts by the shape alone.
func (c *winogradConv) plan() {
	rows, across := c.tileRows(), c.tiling.across
	fit := min(winogradFloats/(frequencies*(c.depth+winogradPair*c.b.k.lanes)), winogradTiles)
	c.block = min(max(fit/across, 1), rows)
	if rows*across <= winogradTiles {
		c.block = rows
	}
	c.blocks = ceilDiv(rows, c.block)
	c.block = ceilDiv(rows, c.blocks)
	c.blocks = ceilDiv(rows, c.block)
	c.tiles = roundUp(c.block*across, c.b.k.winograd.rows)
	c.parts = 1
	if c.blocks == 1 {
		c.parts = c.pairs
	}
}

// A distance between frequencies that is no power of two spreads them over all
// sets of the caches.
func (c *winogradConv) tileStride() int    { return c.tiles*c.depth + lineFloats }
func (c *winogradConv) productStride() int { return c.tiles*winogradPair*c.b.k.lanes + lineFloats }
func (c *winogradConv) filterStride() int {
	if c.blocks == 1 {
		return c.depth*winogradPair*c.b.k.lanes + lineFloats
	}
	return c.depth*c.width + lineFloats
}

// lengths returns the elements of the shared and of a worker's own memory.
func (c *winogradConv) lengths() (shared, own []int) {
	filters, tiles := frequencies*c.filterStride(), frequencies*c.tileStride()
	stage := max(c.tiling.stageLen(), c.filters.stageLen())
	if c.blocks == 1 {
		filters, tiles = tiles, filters
	}
	return []int{filters}, []int{stage, stage, tiles, frequencies * c.productStride()}
}

func (c *winogradConv) workspace() int {
	shared, own := c.lengths()
	return workspace(len(c.workers), shared, own)
}

func (c *winogradConv) run(out, in, weights, work []float32) {
	c.out, c.in, c.weights = out, in, weights
	shared, own := c.lengths()
	m := carve(work)
	c.shared = m.take(shared[0])
	for i := range c.workers {
		c.workers[i] = winogradScratch{m.take(own[0]), m.take(own[1]), m.take(own[2]), m.take(own[3])}
	}
	if c.blocks == 1 {
		c.b.pool.Parallel(c.depth/c.b.k.lanes, c.tilesJob)
	} else {
		c.b.pool.Parallel(c.width/c.b.k.lanes, c.filterJob)
	}
	c.b.pool.Parallel(c.blocks*c.parts, c.mainJob)
}

// transformFilters transforms one block of output channels for all chunks.
func (c *winogradConv) transformFilters(block, worker int) {
	s := &c.workers[worker]
	c.filters.transform(c.shared[block*c.depth*c.b.k.lanes:], c.filterStride(), c.weights, block, c.reverse, s.stage, s.half)
}

// transformTiles transforms one block of input channels for all chunks.
func (c *winogradConv) transformTiles(block, worker int) {
	c.loadBlock(c.shared, block, 0, c.tileRows(), &c.workers[worker])
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
	if c.blocks > 1 {
		for block := range c.depth / lanes {
			c.loadBlock(s.own, block, from, to, s)
		}
		for pair := range c.pairs {
			c.pair(s.own, c.shared[pair*winogradPair*c.depth*lanes:], pair, from, to, s)
		}
		return
	}
	pair := chunk % c.parts
	first := pair * winogradPair
	for block := first; block < min(first+winogradPair, c.width/lanes); block++ {
		c.filters.transform(s.own[(block-first)*c.depth*lanes:], c.filterStride(), c.weights, block, c.reverse, s.stage, s.half)
	}
	c.pair(c.shared, s.own, pair, from, to, s)
}

// next returns what the product of frequency q reads from the cache that all
// cores share: count blocks of filters, or the tiles if there is one block.
func (c *winogradConv) next(tiles, filters []float32, q, count int) []float32 {
	if q == frequencies {
		return nil
	}
	if c.blocks == 1 {
		return tiles[q*c.tileStride():][:c.tiles*c.depth]
	}
	return filters[q*c.filterStride():][:count*c.depth*c.b.k.lanes]
}

// pair computes a pair of blocks of output channels from transformed tiles and
// filters.
func (c *winogradConv) pair(tiles, filters []float32, pair, from, to int, s *winogradScratch) {
	lanes, first := c.b.k.lanes, pair*winogradPair
	count := min(winogradPair, c.width/lanes-first)
	product := c.b.k.winograd.product[count]
	groups := ceilDiv((to-from)*c.across, c.b.k.winograd.rows)
	for q := range frequencies {
		product(s.products[q*c.productStride():], tiles[q*c.tileStride():], filters[q*c.filterStride():], c.next(tiles, filters, q+1, count),
			groups, c.depth/lanes, c.tiles*lanes, c.tiles*lanes, c.depth*lanes)
	}
	for i := range count {
		c.tiling.store(c.out, c.convShape.width, (first+i)*lanes, from, to, s.products[i*c.tiles*lanes:], c.productStride(), s.stage, s.half)
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
