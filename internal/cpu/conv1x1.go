package cpu

import (
	"edm/internal/engine"
	"edm/internal/op"
)

// conv1x1 computes y = W x for every image, a matrix product over channels
// whose columns are pixels, or with the transpose of W the gradient by data.
// Neither matrix is packed beforehand: weights are read where they are, and the
// first panel of a tile copies its pixels of x to the L1 cache while it
// multiplies. Meanwhile the next operands are fetched (fetch.go). Biases, residual
// and scale are applied to the sums in registers.
type conv1x1 struct {
	b                       *Backend
	n, depth, width, pixels int
	parts                   int // of the tiles of an image
	transposed              bool
	scale                   float32
	ahead                   *fetchPlan
	scratch                 []conv1x1Scratch

	// Of the current run; bias, sample and residual may be nil.
	y, x, w                []float32
	bias, sample, residual []float32
	job                    func(chunk, worker int)
}

type conv1x1Scratch struct {
	tileScratch
	product product
	add     []float32 // of the image
}

func newConv1x1(b *Backend, n, depth, width, pixels int, transposed bool, scale float64) *conv1x1 {
	c := &conv1x1{b: b, n: n, depth: depth, width: width, pixels: pixels, transposed: transposed, scale: float32(scale)}
	c.parts = min(ceilDiv(fewChunks, n), b.k.tiles(pixels).count)
	c.ahead = newFetchPlan(&product{m: width, depth: depth, bStep: pixels, ldc: pixels})
	c.scratch = make([]conv1x1Scratch, b.pool.Threads())
	c.job = c.chunk
	return c
}

// Workspace implements engine.Kernel.
func (c *conv1x1) Workspace() int {
	return workspace(len(c.scratch), nil, []int{tileScratchLen, c.width})
}

// run computes y.
func (c *conv1x1) run(y, x, w, work []float32) {
	c.y, c.x, c.w = y, x, w
	m := carve(work)
	for i := range c.scratch {
		s := &c.scratch[i]
		s.take(m.take(tileScratchLen))
		s.add = m.take(c.width)
	}
	c.b.pool.Parallel(c.n*c.parts, c.job)
}

// columns returns the image and the tiles [from,to) of a chunk.
func (c *conv1x1) columns(chunk int) (n, from, to int) {
	n, part := chunk/c.parts, chunk%c.parts
	count := c.b.k.tiles(c.pixels).count
	return n, part * count / c.parts, (part + 1) * count / c.parts
}

// operands returns x, y and the residual from column at of image n on.
func (c *conv1x1) operands(n, at int) (all [3][]float32) {
	all[0], all[1] = c.x[n*c.depth*c.pixels+at:], c.y[n*c.width*c.pixels+at:]
	if c.residual != nil {
		all[2] = c.residual[n*c.width*c.pixels+at:]
	}
	return all
}

// chunk computes some tiles of one image.
func (c *conv1x1) chunk(chunk, worker int) {
	s := &c.scratch[worker]
	n, from, to := c.columns(chunk)
	of := c.operands(n, 0)
	p := &s.product
	*p = product{
		a: c.w, aRow: c.depth, aStep: 1, b: of[0], bStep: c.pixels, c: of[1], ldc: c.pixels,
		m: c.width, n: c.pixels, depth: c.depth, ahead: c.ahead,
		finish: c.scale != 1 || c.bias != nil || c.sample != nil || c.residual != nil,
		scale:  c.scale, residual: of[2],
	}
	if c.transposed {
		p.aRow, p.aStep = 1, c.width
	}
	if c.bias != nil || c.sample != nil {
		p.add = c.additions(s.add, n)
	}
	// The next work of this thread, probably: a guess that changes no result.
	if next := chunk + c.b.pool.Threads(); next < c.n*c.parts {
		n, tile, _ := c.columns(next)
		at, _ := c.b.k.tiles(c.pixels).at(tile)
		p.next = c.operands(n, at)
	}
	c.b.k.multiplyTiles(p, &s.tileScratch, from, to)
}

// additions returns scale*(bias + sample bias) of the channels of an image.
func (c *conv1x1) additions(dst []float32, n int) []float32 {
	clear(dst)
	for i := range c.width {
		if c.bias != nil {
			dst[i] = c.bias[i]
		}
		if c.sample != nil {
			dst[i] += c.sample[n*c.width+i]
		}
		dst[i] *= c.scale
	}
	return dst
}

// conv1x1Kernel is op.Conv2D with a kernel of one pixel.
type conv1x1Kernel struct {
	*conv1x1
	terms [3]int // positions of bias, sample bias and residual; -1 if absent
}

func newConv1x1Kernel(b *Backend, s op.Conv2D, c engine.Call) conv1x1Kernel {
	x, w := c.In[0], c.In[1]
	k := conv1x1Kernel{conv1x1: newConv1x1(b, x[0], x[1], w[0], x[2]*x[3], false, s.Scale)}
	k.terms[0], k.terms[1], k.terms[2] = s.Terms()
	return k
}

// Run implements engine.Kernel.
func (k conv1x1Kernel) Run(a *engine.Args) {
	for i, to := range []*[]float32{&k.bias, &k.sample, &k.residual} {
		if at := k.terms[i]; at >= 0 {
			*to = a.In[at].F32
		}
	}
	k.run(a.Out.F32, a.In[0].F32, a.In[1].F32, a.Work.F32)
}

// conv1x1DataKernel is op.Conv2DData with a kernel of one pixel.
type conv1x1DataKernel struct{ *conv1x1 }

func newConv1x1DataKernel(b *Backend, s op.Conv2DData, c engine.Call) conv1x1DataKernel {
	g, w := c.In[0], c.In[1]
	return conv1x1DataKernel{newConv1x1(b, g[0], g[1], w[1], g[2]*g[3], true, s.Scale)}
}

// Run implements engine.Kernel.
func (k conv1x1DataKernel) Run(a *engine.Args) {
	k.run(a.Out.F32, a.In[0].F32, a.In[1].F32, a.Work.F32)
}
