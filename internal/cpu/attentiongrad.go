package cpu

import "edm/internal/engine"

// attnGrad is op.AttnGrad. With P the weights, dP = g v and D[i] = g[i].out[i],
// the gradient of the logits is dS = P*(dP-D)*scale. One chunk goes over tiles
// of queries i, has all P[j][i] and dS[j][i] of the tile, and gives dq; another
// goes over tiles of keys j, has P[i][j] and dS[i][j], and gives dk and dv.
// Computing P and dP twice costs less than keeping and transposing them, and
// each result is one sum in the order of pixels.
type attnGrad struct {
	heads
	scratch []gradScratch
	args    *engine.Args
	job     func(chunk, worker int)
}

// gradScratch is the memory of one worker. Rows are the pixels that a tile has
// all of, columns those of the tile itself.
type gradScratch struct {
	rowsS, rowsP  []float32 // panels of pixels for S and dP
	first, second []float32 // panels of channels for the results
	colsS, colsP  []float32 // B of S and of dP
	p, ds         []float32
	shift, d      []float32 // -lse/scale and -D
	edge          []float32
}

func newAttnGrad(b *Backend, c engine.Call, count int) *attnGrad {
	a := &attnGrad{heads: newHeads(b, c, 1, count)}
	a.scratch = make([]gradScratch, b.pool.Threads())
	a.job = a.chunk
	return a
}

// Workspace implements engine.Kernel.
func (a *attnGrad) Workspace() int {
	return workspace(len(a.scratch), nil, []int{
		a.pixelPanels(), a.pixelPanels(), a.channelPanels(), a.channelPanels(),
		a.columns(), a.columns(), a.square(), a.square(), a.pixels, a.pixels, maxTile,
	})
}

// Run implements engine.Kernel.
func (a *attnGrad) Run(args *engine.Args) {
	a.args = args
	m := carve(args.Work.F32)
	for i := range a.scratch {
		a.scratch[i] = gradScratch{
			rowsS: m.take(a.pixelPanels()), rowsP: m.take(a.pixelPanels()),
			first: m.take(a.channelPanels()), second: m.take(a.channelPanels()),
			colsS: m.take(a.columns()), colsP: m.take(a.columns()),
			p: m.take(a.square()), ds: m.take(a.square()),
			shift: m.take(a.pixels), d: m.take(a.pixels), edge: m.take(maxTile),
		}
	}
	a.b.pool.Parallel(2*a.n*a.heads.heads, a.job)
}

func (a *attnGrad) chunk(chunk, worker int) {
	w := &a.scratch[worker]
	item := chunk / 2
	plane := item * a.c * a.pixels
	g, out := a.args.In[0].F32[plane:], a.args.In[3].F32[plane:]
	a.k.affine(w.shift, a.args.In[2].F32[item*a.pixels:], -1/a.scale, 0)
	clear(w.d)
	for c := range a.c {
		a.k.mulAdd(w.d, g[c*a.pixels:], out[c*a.pixels:])
	}
	a.k.affine(w.d, w.d, -1, 0)
	if chunk%2 == 0 {
		a.queries(w, item, g)
	} else {
		a.keys(w, item, g)
	}
}

// queries computes dq of one head.
func (a *attnGrad) queries(w *gradScratch, item int, g []float32) {
	qkv, step := a.args.In[1].F32, 3*a.pixels
	q, k, v := a.part(qkv, item, 0), a.part(qkv, item, 1), a.part(qkv, item, 2)
	dq := a.part(a.args.Out.F32, item, 0)
	a.packPixels(w.rowsS, k, step, nil)
	a.packPixels(w.rowsP, v, step, nil)
	a.packChannels(w.first, k, step)
	t := a.k.tiles(a.pixels)
	for i := range t.count {
		from, cols := t.at(i)
		wide := roundUp(cols, a.k.lanes)
		a.packColumns(w.colsS, q, step, from, cols, wide, w.shift)
		a.packColumns(w.colsP, g, a.pixels, from, cols, wide, w.d)
		a.weights(w, wide)
		a.result(dq, w.first, w.ds, from, cols, wide, w.edge)
	}
}

// keys computes dk and dv of one head.
func (a *attnGrad) keys(w *gradScratch, item int, g []float32) {
	qkv, step := a.args.In[1].F32, 3*a.pixels
	q, k, v := a.part(qkv, item, 0), a.part(qkv, item, 1), a.part(qkv, item, 2)
	dk, dv := a.part(a.args.Out.F32, item, 1), a.part(a.args.Out.F32, item, 2)
	a.packPixels(w.rowsS, q, step, w.shift)
	a.packPixels(w.rowsP, g, a.pixels, w.d)
	a.packChannels(w.first, q, step)
	a.packChannels(w.second, g, a.pixels)
	t := a.k.tiles(a.pixels)
	for i := range t.count {
		from, cols := t.at(i)
		wide := roundUp(cols, a.k.lanes)
		a.packColumns(w.colsS, k, step, from, cols, wide, nil)
		a.packColumns(w.colsP, v, step, from, cols, wide, nil)
		a.weights(w, wide)
		a.result(dk, w.first, w.ds, from, cols, wide, w.edge)
		a.result(dv, w.second, w.p, from, cols, wide, w.edge)
	}
}

// weights computes P and dS of a tile.
func (a *attnGrad) weights(w *gradScratch, wide int) {
	a.logits(w.p, w.rowsS, w.colsS, wide, a.c+1)
	a.logits(w.ds, w.rowsP, w.colsP, wide, a.c+1)
	p, ds := w.p[:a.pixels*wide], w.ds[:a.pixels*wide]
	a.k.expAffine(p, p, a.scale, 0)
	a.k.mul(ds, ds, p, a.scale)
}

// result writes columns [from,from+cols) of one of dq, dk, dv.
func (a *attnGrad) result(dst, panels, b []float32, from, cols, wide int, edge []float32) {
	a.k.multiply(panels, b, a.pixelOffsets[wide/a.k.lanes], dst[from:],
		3*a.pixels, a.c, cols, a.pixels*a.k.rows, false, edge)
}
