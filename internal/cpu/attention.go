package cpu

import (
	"math"

	"edm/internal/engine"
)

// heads is the geometry of attention on packed qkv [n, 3c*heads, pixels] whose
// channels are ordered head, channel, {q,k,v}.
type heads struct {
	b         *Backend
	k         *kernels
	n, heads  int
	c, pixels int
	scale     float32 // of the logits: 1/sqrt(c)
	// Where the rows of a packed B are, by the number of vectors in a row.
	offsets, pixelOffsets [maxVectors + 1][]int32
}

func newHeads(b *Backend, c engine.Call, qkv, count int) heads {
	s := c.In[qkv]
	h := heads{b: b, k: b.k, n: s[0], heads: count, c: s[1] / 3 / count, pixels: s[2] * s[3]}
	h.scale = float32(1 / math.Sqrt(float64(h.c)))
	for v := 1; v <= maxVectors; v++ {
		h.offsets[v] = consecutive(h.c+1, v*h.k.lanes)
		h.pixelOffsets[v] = consecutive(h.pixels, v*h.k.lanes)
	}
	return h
}

// part returns channel 0 of q (which = 0), k or v of a head; the next channel is
// 3*pixels further.
func (h *heads) part(qkv []float32, item, which int) []float32 {
	return qkv[(item*h.c*3+which)*h.pixels:]
}

// Lengths of scratch memory: panels of pixels with channels+1 rows, panels of
// channels with a row for each pixel, a B of channels+1 rows and a tile column
// with a row for each pixel.
func (h *heads) pixelPanels() int   { return roundUp(h.pixels, h.k.rows) * (h.c + 1) }
func (h *heads) channelPanels() int { return roundUp(h.c, h.k.rows) * h.pixels }
func (h *heads) columns() int       { return (h.c + 1) * maxVectors * h.k.lanes }
func (h *heads) square() int        { return roundUp(h.pixels, h.k.rows) * maxVectors * h.k.lanes }

// packPixels packs c rows of x, stride apart, in panels of pixels, with row c
// set to extra, or to ones if extra is nil.
func (h *heads) packPixels(dst, x []float32, stride int, extra []float32) {
	rows := h.k.rows
	h.k.copyPanels(dst, x, h.pixels, h.c, stride, (h.c+1)*rows)
	for p := 0; p < h.pixels; p += rows {
		last := dst[(p/rows*(h.c+1)+h.c)*rows:][:rows]
		for r := range last {
			switch {
			case p+r >= h.pixels:
				last[r] = 0
			case extra == nil:
				last[r] = 1
			default:
				last[r] = extra[p+r]
			}
		}
	}
}

// packChannels packs the transpose of c rows of x in panels of channels.
func (h *heads) packChannels(dst, x []float32, stride int) {
	rows := h.k.rows
	for c := 0; c < h.c; c += rows {
		h.k.interleave(dst[c*h.pixels:], x[c*stride:], min(rows, h.c-c), rows, stride, h.pixels, rows)
	}
}

// packColumns copies columns [from,from+cols) of c rows of x to rows of wide
// elements, zero beyond cols, with row c set to extra, or to ones if extra is
// nil.
func (h *heads) packColumns(dst, x []float32, stride, from, cols, wide int, extra []float32) {
	for c := range h.c {
		row := dst[c*wide : (c+1)*wide]
		clear(row[copy(row, x[c*stride+from:c*stride+from+cols]):])
	}
	row := dst[h.c*wide : (h.c+1)*wide]
	clear(row)
	for i := range cols {
		row[i] = 1
		if extra != nil {
			row[i] = extra[from+i]
		}
	}
}

// logits writes the products of pixel panels a and a packed B of wide columns,
// over depth rows: c, or c+1 to add the extra row.
func (h *heads) logits(dst, a, b []float32, wide, depth int) {
	rows := h.k.rows
	v := wide / h.k.lanes
	h.k.gemm[v](a, b, h.offsets[v][:depth], dst, wide, ceilDiv(h.pixels, rows), (h.c+1)*rows, 0)
}

// attnLSE is op.AttnLSE: for a tile of queries i, S[j][i] = k[j].q[i] for all
// keys j, then the log-sum-exp down the columns.
type attnLSE struct {
	heads
	split   int
	scratch []lseScratch
	args    *engine.Args
	job     func(chunk, worker int)
}

type lseScratch struct {
	keys, queries, s, max, sum []float32
	held                       int
}

func newAttnLSE(b *Backend, c engine.Call, count int) *attnLSE {
	a := &attnLSE{heads: newHeads(b, c, 0, count)}
	a.split = a.parts()
	a.scratch = make([]lseScratch, b.pool.Threads())
	a.job = a.chunk
	return a
}

// parts returns how many chunks the queries of one head make.
func (h *heads) parts() int {
	return min(ceilDiv(fewChunks, h.n*h.heads), h.k.tiles(h.pixels).count)
}

// Workspace implements engine.Kernel.
func (a *attnLSE) Workspace() int {
	return workspace(len(a.scratch), nil, []int{a.pixelPanels(), a.columns(), a.square(), maxColumns, maxColumns})
}

// Run implements engine.Kernel.
func (a *attnLSE) Run(args *engine.Args) {
	a.args = args
	m := carve(args.Work.F32)
	for i := range a.scratch {
		a.scratch[i] = lseScratch{
			keys: m.take(a.pixelPanels()), queries: m.take(a.columns()), s: m.take(a.square()),
			max: m.take(maxColumns), sum: m.take(maxColumns), held: -1,
		}
	}
	a.b.pool.Parallel(a.n*a.heads.heads*a.split, a.job)
}

func (a *attnLSE) chunk(chunk, worker int) {
	w := &a.scratch[worker]
	item, part := chunk/a.split, chunk%a.split
	qkv := a.args.In[0].F32
	q, lse := a.part(qkv, item, 0), a.args.Out.F32[item*a.pixels:]
	if w.held != item {
		a.packPixels(w.keys, a.part(qkv, item, 1), 3*a.pixels, nil)
		w.held = item
	}
	t := a.k.tiles(a.pixels)
	for i := part * t.count / a.split; i < (part+1)*t.count/a.split; i++ {
		from, cols := t.at(i)
		wide := roundUp(cols, a.k.lanes)
		a.packColumns(w.queries, q, 3*a.pixels, from, cols, wide, nil)
		a.logits(w.s, w.keys, w.queries, wide, a.c)
		for j := 0; j < wide; j += 8 {
			a.k.colMax(w.max[j:], w.s[j:], a.pixels, wide)
			a.k.colExpSum(w.sum[j:], w.s[j:], w.max[j:], a.pixels, wide, a.scale)
		}
		for j := range cols {
			lse[from+j] = float32(float64(w.max[j])*float64(a.scale) + math.Log(float64(w.sum[j])))
		}
	}
}

// attn is op.Attn: for a tile of queries i, P[j][i] = e**(S[j][i]-lse[i]) and
// out[c][i] = sum over j of v[c][j]*P[j][i]. The extra row of the first product
// subtracts the log-sum-exp.
type attn struct {
	heads
	split   int
	scratch []attnScratch
	args    *engine.Args
	job     func(chunk, worker int)
}

type attnScratch struct {
	keys, values, queries, p, shift, edge []float32
	held                                  int
}

func newAttn(b *Backend, c engine.Call, count int) *attn {
	a := &attn{heads: newHeads(b, c, 0, count)}
	a.split = a.parts()
	a.scratch = make([]attnScratch, b.pool.Threads())
	a.job = a.chunk
	return a
}

// Workspace implements engine.Kernel.
func (a *attn) Workspace() int {
	return workspace(len(a.scratch), nil,
		[]int{a.pixelPanels(), a.channelPanels(), a.columns(), a.square(), a.pixels, maxTile})
}

// Run implements engine.Kernel.
func (a *attn) Run(args *engine.Args) {
	a.args = args
	m := carve(args.Work.F32)
	for i := range a.scratch {
		a.scratch[i] = attnScratch{
			keys: m.take(a.pixelPanels()), values: m.take(a.channelPanels()), queries: m.take(a.columns()),
			p: m.take(a.square()), shift: m.take(a.pixels), edge: m.take(maxTile), held: -1,
		}
	}
	a.b.pool.Parallel(a.n*a.heads.heads*a.split, a.job)
}

func (a *attn) chunk(chunk, worker int) {
	w := &a.scratch[worker]
	item, part := chunk/a.split, chunk%a.split
	qkv := a.args.In[0].F32
	if w.held != item {
		a.packPixels(w.keys, a.part(qkv, item, 1), 3*a.pixels, nil)
		a.packChannels(w.values, a.part(qkv, item, 2), 3*a.pixels)
		a.k.affine(w.shift, a.args.In[1].F32[item*a.pixels:], -1/a.scale, 0)
		w.held = item
	}
	out := a.args.Out.F32[item*a.c*a.pixels:]
	t := a.k.tiles(a.pixels)
	for i := part * t.count / a.split; i < (part+1)*t.count/a.split; i++ {
		from, cols := t.at(i)
		wide := roundUp(cols, a.k.lanes)
		a.packColumns(w.queries, a.part(qkv, item, 0), 3*a.pixels, from, cols, wide, w.shift)
		a.logits(w.p, w.keys, w.queries, wide, a.c+1)
		p := w.p[:a.pixels*wide]
		a.k.expAffine(p, p, a.scale, 0)
		a.k.multiply(w.values, p, a.pixelOffsets[wide/a.k.lanes], out[from:],
			a.pixels, a.c, cols, a.pixels*a.k.rows, false, w.edge)
	}
}
