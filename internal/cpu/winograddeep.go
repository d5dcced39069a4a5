package cpu

// deepTiles is the number of tiles of a block of a deep convolution, at most.
const deepTiles = 256

// runDeep computes a convolution with many input channels. A block of tiles is
// large here, and passes through memory between its three steps: the transform,
// the products of one frequency after the other, whose operands then fit the L2
// cache, and the transform back. So the filters are read once for many tiles.
func (c *winogradConv) runDeep() {
	lanes := c.b.k.lanes
	for block := range c.blocks {
		c.from = block * c.block
		c.to = min(c.from+c.block, c.tileRows())
		c.b.pool.Parallel(c.depth/lanes, c.tilesJob)
		c.b.pool.Parallel(frequencies, c.mainJob)
		c.b.pool.Parallel(c.width/lanes, c.storeJob)
	}
}

// deepTransform transforms one block of input channels.
func (c *winogradConv) deepTransform(block, worker int) {
	c.loadBlock(c.allTiles, block, c.from, c.to, &c.workers[worker])
}

// deepProduct computes all output channels of frequency q.
func (c *winogradConv) deepProduct(q, _ int) {
	lanes := c.b.k.lanes
	groups := ceilDiv((c.to-c.from)*c.across, c.b.k.winograd.rows)
	filters, products := c.allFilters[q*c.filterStride:], c.allProducts[q*c.productStride():]
	for first := 0; first < c.width/lanes; first += winogradPair {
		count := min(winogradPair, c.width/lanes-first)
		c.b.k.winograd.product[count](products[first*c.tiles*lanes:], c.allTiles[q*c.tileStride():],
			filters[first*c.depth*lanes:], nil, groups, c.depth/lanes, c.tiles*lanes, c.tiles*lanes, c.depth*lanes)
	}
}

// deepStore transforms one block of output channels back and finishes it.
func (c *winogradConv) deepStore(block, worker int) {
	lanes := c.b.k.lanes
	c.complete(c.allProducts[block*c.tiles*lanes:], c.tiles*lanes, block, 1, c.from, c.to, &c.workers[worker])
}
