package cpu

import (
	"edm/internal/engine"
	"edm/internal/op"
)

// dense runs one matrix product on all threads: a linear layer or a gradient of
// one, whose matrices are small and lie as the product wants them.
type dense struct {
	b                  *Backend
	product            product
	rowParts, colParts int
	scratch            []tileScratch
	parts              []product
	job                func(chunk, worker int)
}

// denseRows is the least number of rows that are worth a chunk.
const denseRows = 32

func newDense(b *Backend, p product) *dense {
	d := &dense{b: b, product: p}
	d.colParts = min(b.k.tiles(p.n).count, fewChunks)
	d.rowParts = min(ceilDiv(p.m, denseRows), ceilDiv(fewChunks, d.colParts))
	d.scratch = make([]tileScratch, b.pool.Threads())
	d.parts = make([]product, b.pool.Threads())
	d.job = d.chunk
	return d
}

func (d *dense) workspace(shared ...int) int {
	return workspace(len(d.scratch), shared, []int{tileScratchLen})
}

// run computes the product of a and b.
func (d *dense) run(c, a, b []float32, m *memory) {
	d.product.a, d.product.b, d.product.c = a, b, c
	for i := range d.scratch {
		d.scratch[i].take(m.take(tileScratchLen))
	}
	d.b.pool.Parallel(d.rowParts*d.colParts, d.job)
}

// chunk computes some rows of some tiles of columns.
func (d *dense) chunk(chunk, worker int) {
	rows, cols := chunk/d.colParts, chunk%d.colParts
	whole := &d.product
	panels := ceilDiv(whole.m, maxRows)
	from, to := rows*panels/d.rowParts*maxRows, min((rows+1)*panels/d.rowParts*maxRows, whole.m)
	p := &d.parts[worker]
	*p = *whole
	p.m, p.a, p.c = to-from, whole.a[from*whole.aRow:], whole.c[from*whole.ldc:]
	if whole.add != nil {
		p.add = whole.add[from:]
	}
	count := d.b.k.tiles(whole.n).count
	d.b.k.multiplyTiles(p, &d.scratch[worker], cols*count/d.colParts, (cols+1)*count/d.colParts)
}

// linear is op.Linear: y[n][o] = scale * dot(x[n], w[o]) + b[o]. Its product is
// the transpose, with the weights as A; x and y are transposed, which are small.
type linear struct {
	*dense
	n, in, out int
	bias       bool
}

func newLinear(b *Backend, s op.Linear, c engine.Call) linear {
	l := linear{n: c.In[0][0], in: c.In[0][1], out: c.Out[1], bias: s.Bias}
	l.dense = newDense(b, product{
		aRow: l.in, aStep: 1, bStep: l.stride(), ldc: l.stride(),
		m: l.out, n: l.n, depth: l.in, finish: true, scale: float32(s.Scale),
	})
	return l
}

// stride returns the elements between rows of the transposes.
func (l linear) stride() int { return roundUp(l.n, 4) }

// Workspace implements engine.Kernel.
func (l linear) Workspace() int { return l.workspace(l.in*l.stride(), l.out*l.stride()) }

// Run implements engine.Kernel.
func (l linear) Run(a *engine.Args) {
	m := carve(a.Work.F32)
	x, y := m.take(l.in*l.stride()), m.take(l.out*l.stride())
	if l.bias {
		l.product.add = a.In[2].F32
	}
	l.b.k.interleave(x, a.In[0].F32, l.n, l.stride(), l.in, l.in, l.stride())
	l.run(y, a.In[1].F32, x, &m)
	l.b.k.transpose(a.Out.F32, y, l.out, l.n, l.out, l.stride())
}

// linearData is op.LinearData: dx[n] = scale * sum over o of g[n][o]*w[o].
type linearData struct{ *dense }

func newLinearData(b *Backend, s op.LinearData, c engine.Call) linearData {
	n, in, out := c.Out[0], c.Out[1], c.In[0][1]
	return linearData{newDense(b, product{
		aRow: out, aStep: 1, bStep: in, ldc: in,
		m: n, n: in, depth: out, finish: true, scale: float32(s.Scale),
	})}
}

// Workspace implements engine.Kernel.
func (l linearData) Workspace() int { return l.workspace() }

// Run implements engine.Kernel.
func (l linearData) Run(a *engine.Args) {
	m := carve(a.Work.F32)
	l.run(a.Out.F32, a.In[0].F32, a.In[1].F32, &m)
}

// linearWeights is op.LinearWeights: dw[o] = scale * sum over n of g[n][o]*x[n].
type linearWeights struct{ *dense }

func newLinearWeights(b *Backend, s op.LinearWeights, c engine.Call) linearWeights {
	n, in, out := c.In[0][0], c.Out[1], c.Out[0]
	return linearWeights{newDense(b, product{
		aRow: 1, aStep: out, bStep: in, ldc: in,
		m: out, n: in, depth: n, finish: true, scale: float32(s.Scale),
	})}
}

// Workspace implements engine.Kernel.
func (l linearWeights) Workspace() int { return l.workspace() }

// Run implements engine.Kernel.
func (l linearWeights) Run(a *engine.Args) {
	m := carve(a.Work.F32)
	l.run(a.Out.F32, a.In[1].F32, a.In[0].F32, &m)
}

func newSumHW(b *Backend, s op.SumHW, c engine.Call) *mapped {
	size := c.In[0][2] * c.In[0][3]
	return perItem(b, c.Out.TotalSize(), size, func(m *mapped, i int) {
		m.out()[i] = float32(s.Scale * b.k.sum64(m.in(0)[i*size:(i+1)*size]))
	})
}
