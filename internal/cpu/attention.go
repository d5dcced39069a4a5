package cpu

import (
	"math"

	"edm/internal/engine"
)

// heads is the geometry of attention on packed qkv [n, 3c*heads, pixels] whose
// channels are ordered head, channel, {q,k,v}.
//
// All products are taken block by block of queries: the logits S[j][i] =
// scale*k[j].q[i] for all keys j and the queries i of a block are a matrix that
// stays in the L2 cache.
// No operand is packed: keys are the transposed A of S, values the rows of the
// A of the output.
type heads struct {
	b         *Backend
	k         *kernels
	n, heads  int
	c, pixels int
	scale     float32 // of the logits: 1/sqrt(c)
	blocks    tiles   // of queries
}

// newHeads divides the queries into blocks of at most the given number of
// groups of 16.
func newHeads(b *Backend, qkv []int, count, groups int) heads {
	h := heads{b: b, k: b.k, n: qkv[0], heads: count, c: qkv[1] / 3 / count, pixels: qkv[2] * qkv[3]}
	h.scale = float32(1 / math.Sqrt(float64(h.c)))
	v := ceilDiv(h.pixels, lineFloats)
	h.blocks = tiles{cols: h.pixels, lanes: lineFloats, vectors: v, count: ceilDiv(v, groups)}
	return h
}

// items returns the number of images and heads, step the elements between two
// channels of q, k or v.
func (h *heads) items() int { return h.n * h.heads }
func (h *heads) step() int  { return 3 * h.pixels }

// split returns how many chunks the queries of one head make.
func (h *heads) split() int { return min(ceilDiv(fewChunks, h.items()), h.blocks.count) }

// part returns channel 0 of q (which = 0), k or v of a head.
func (h *heads) part(qkv []float32, item, which int) []float32 {
	return qkv[(item*h.c*3+which)*h.pixels:]
}

// blockLen returns the elements of a matrix of all pixels and the queries of a
// block of so many groups.
func (h *heads) blockLen(groups int) int { return h.pixels * groups * lineFloats }

// logits writes scale*a[j].b[i] + shift[i] for all pixels j and the cols pixels
// i of a block, where a and b have c rows of channels, aStep and bStep apart.
func (h *heads) logits(t *tileScratch, dst, a []float32, aStep int, b []float32, bStep, cols int, shift []float32) {
	p := product{
		a: a, aRow: 1, aStep: aStep, b: b, bStep: bStep, c: dst, ldc: cols,
		m: h.pixels, n: cols, depth: h.c, finish: true, scale: h.scale, shift: shift,
	}
	h.k.multiplyAll(&p, t)
}

// weighted writes dst[c][i] = sum over pixels j of a[c][j]*w[j][i] for the cols
// pixels i of a block; rows of a are step apart, those of dst ldc.
func (h *heads) weighted(t *tileScratch, dst []float32, ldc int, a, w []float32, cols int) {
	p := product{
		a: a, aRow: h.step(), aStep: 1, b: w, bStep: cols, c: dst, ldc: ldc,
		m: h.c, n: cols, depth: h.pixels,
	}
	h.k.multiplyAll(&p, t)
}

// forwardGroups is the size of a block of queries, in groups of 16, that the
// log-sum-exp and the output are computed for: one tile of AVX-512.
const forwardGroups = maxVectors

// attnLSE is op.AttnLSE: the log-sum-exp down the columns of S.
type attnLSE struct {
	heads
	chunks  int // of a head
	scratch []lseScratch
	args    *engine.Args
	job     func(chunk, worker int)
}

type lseScratch struct {
	tileScratch
	s, max, sum []float32
}

func newAttnLSE(b *Backend, c engine.Call, count int) *attnLSE {
	a := &attnLSE{heads: newHeads(b, c.In[0], count, forwardGroups)}
	a.chunks = a.split()
	a.scratch = make([]lseScratch, b.pool.Threads())
	a.job = a.chunk
	return a
}

// Workspace implements engine.Kernel.
func (a *attnLSE) Workspace() int {
	return workspace(len(a.scratch), nil, []int{tileScratchLen, a.blockLen(forwardGroups), maxColumns, maxColumns})
}

// Run implements engine.Kernel.
func (a *attnLSE) Run(args *engine.Args) {
	a.args = args
	m := carve(args.Work.F32)
	for i := range a.scratch {
		w := &a.scratch[i]
		w.take(m.take(tileScratchLen))
		w.s, w.max, w.sum = m.take(a.blockLen(forwardGroups)), m.take(maxColumns), m.take(maxColumns)
	}
	a.b.pool.Parallel(a.items()*a.chunks, a.job)
}

func (a *attnLSE) chunk(chunk, worker int) {
	w := &a.scratch[worker]
	item, part := chunk/a.chunks, chunk%a.chunks
	q, k := a.part(a.args.In[0].F32, item, 0), a.part(a.args.In[0].F32, item, 1)
	lse := a.args.Out.F32[item*a.pixels:]
	for i := part * a.blocks.count / a.chunks; i < (part+1)*a.blocks.count/a.chunks; i++ {
		from, cols := a.blocks.at(i)
		a.logits(&w.tileScratch, w.s, k, a.step(), q[from:], a.step(), cols, nil)
		a.reduce(w, lse[from:], cols)
	}
}

// reduce writes the log-sum-exp of the columns of s.
func (a *attnLSE) reduce(w *lseScratch, lse []float32, cols int) {
	for j := 0; j < cols; j += 8 {
		a.k.colMax(w.max[j:], w.s[j:], a.pixels, cols)
		a.k.colExpSum(w.sum[j:], w.s[j:], w.max[j:], a.pixels, cols, 1)
	}
	for j := range cols {
		lse[j] = float32(float64(w.max[j]) + math.Log(float64(w.sum[j])))
	}
}

// attn is op.Attn: P[j][i] = e**(S[j][i]-lse[i]) and out[c][i] = sum over j of
// v[c][j]*P[j][i]. The product that gives S subtracts the log-sum-exp.
type attn struct {
	heads
	chunks  int // of a head
	scratch []attnScratch
	args    *engine.Args
	job     func(chunk, worker int)
}

type attnScratch struct {
	tileScratch
	p, shift []float32
}

func newAttn(b *Backend, c engine.Call, count int) *attn {
	a := &attn{heads: newHeads(b, c.In[0], count, forwardGroups)}
	a.chunks = a.split()
	a.scratch = make([]attnScratch, b.pool.Threads())
	a.job = a.chunk
	return a
}

// Workspace implements engine.Kernel.
func (a *attn) Workspace() int {
	return workspace(len(a.scratch), nil, []int{tileScratchLen, a.blockLen(forwardGroups), maxColumns})
}

// Run implements engine.Kernel.
func (a *attn) Run(args *engine.Args) {
	a.args = args
	m := carve(args.Work.F32)
	for i := range a.scratch {
		w := &a.scratch[i]
		w.take(m.take(tileScratchLen))
		w.p, w.shift = m.take(a.blockLen(forwardGroups)), m.take(maxColumns)
	}
	a.b.pool.Parallel(a.items()*a.chunks, a.job)
}

func (a *attn) chunk(chunk, worker int) {
	w := &a.scratch[worker]
	item, part := chunk/a.chunks, chunk%a.chunks
	qkv, lse := a.args.In[0].F32, a.args.In[1].F32[item*a.pixels:]
	q, k, v := a.part(qkv, item, 0), a.part(qkv, item, 1), a.part(qkv, item, 2)
	out := a.args.Out.F32[item*a.c*a.pixels:]
	for i := part * a.blocks.count / a.chunks; i < (part+1)*a.blocks.count/a.chunks; i++ {
		from, cols := a.blocks.at(i)
		a.k.affine(w.shift[:cols], lse[from:], -1, 0)
		a.logits(&w.tileScratch, w.p, k, a.step(), q[from:], a.step(), cols, w.shift)
		p := w.p[:a.pixels*cols]
		a.k.expAffine(p, p, 1, 0)
		a.weighted(&w.tileScratch, out[from:], a.pixels, v, p, cols)
	}
}
