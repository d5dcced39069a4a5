package cpu

// product is the matrix product
//
//	c[i*ldc+j] = sum over k of a[i*aRow + k*aStep] * b[k*bStep + j]
//
// of an m x depth matrix or the transpose of one and a depth x n matrix, with
// what accumulate, finish, scale, add and residual of tileArgs make of it. Every
// matrix is read where it is and nothing else is touched. C overlaps neither A
// nor B.
//
// Sums are cut into blocks of at most stepsL1, whose B stays in the L1 cache;
// the cuts depend on depth alone, and so do an element's bits.
type product struct {
	a           []float32
	aRow, aStep int
	b           []float32
	bStep       int
	c           []float32
	ldc         int
	m, n, depth int
	accumulate  bool
	finish      bool
	scale       float32
	add, shift  []float32 // may be nil, and so may residual
	residual    []float32

	ahead *fetchPlan   // of B and C; nil: nothing is fetched ahead
	next  [3][]float32 // the B, C and residual that probably come next; may be nil
}

// The aims of the blocking of a product.
const (
	stepsL1  = 128      // steps of a sum whose part of a tile's B is in the L1 cache
	floatsL2 = 96 << 10 // elements of A that are in the L2 cache
)

// depthBlock returns how many steps of a sum of the given depth are taken at a
// time.
func depthBlock(depth int) int { return ceilDiv(depth, ceilDiv(depth, stepsL1)) }

// rowBlock returns how many rows of A are multiplied at a time.
func (p *product) rowBlock() int { return min(p.m, max(floatsL2/p.depth&^31, 64)) }

// multiplyAll computes all of C on one thread.
func (k *kernels) multiplyAll(p *product, s *tileScratch) {
	k.multiplyTiles(p, s, 0, k.tiles(p.n).count)
}

// multiplyTiles computes tiles [from,to) of the columns of C, as kernels.tiles
// numbers them, all rows of them.
func (k *kernels) multiplyTiles(p *product, s *tileScratch, from, to int) {
	block := p.rowBlock()
	group := groupColumns / (maxVectors * k.lanes)
	for i := 0; i < p.m; i += block {
		rows := min(block, p.m-i)
		for t := from; t < to; t++ {
			if (t-from)%group == 0 {
				turns := min(group, to-t) * (rows / k.rows) * (p.depth / fetchSteps)
				s.fetch.start(p.comingUp(k, i, rows, from, t+group, to), turns)
			}
			k.multiplyColumn(p, s, i, rows, t)
		}
	}
}

// multiplyColumn computes rows [i,i+rows) of one tile of columns.
func (k *kernels) multiplyColumn(p *product, s *tileScratch, i, rows, tile int) {
	from, cols := k.tiles(p.n).at(tile)
	block := depthBlock(p.depth)
	t := &s.args
	*t = tileArgs{
		aRow: p.aRow, aStep: p.aStep, bStep: p.bStep,
		c: p.c[i*p.ldc+from:], ldc: p.ldc, scale: p.scale,
	}
	if rows > k.rows {
		t.pack = s.pack
	}
	if p.accumulate {
		t.accumulate = 1
	}
	for at := 0; at < p.depth; at += block {
		t.depth = min(block, p.depth-at)
		t.a, t.b = p.a[i*p.aRow+at*p.aStep:], p.b[at*p.bStep+from:]
		if at+block >= p.depth {
			p.complete(t, i, from)
		}
		k.column(s, rows, cols)
		t.accumulate = 1
	}
}

// complete makes the last block of a sum finish the tile at row i and column j.
func (p *product) complete(t *tileArgs, i, j int) {
	if !p.finish {
		return
	}
	t.finish = 1
	if p.add != nil {
		t.add = p.add[i:]
	}
	if p.shift != nil {
		t.shift = p.shift[j:]
	}
	if p.residual != nil {
		t.residual = p.residual[i*p.ldc+j:]
	}
}
