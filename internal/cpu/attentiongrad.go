package cpu

import "edm/internal/engine"

// attnGrad is op.AttnGrad. With P the weights, dP = v g and D[i] = g[i].out[i],
// the gradient of the logits is dS = P*(dP-D)*scale. One pass goes over blocks
// of queries i: it has P[j][i] and dS[j][i] for all keys j, gives the block's dq
//
//	dq[c][i] = sum over j of k[c][j] dS[j][i]
//
// and adds its part to the sums of dk and dv, which are kept transposed so that
// P and dS are read as they are:
//
//	dk[j][c] = sum over i of dS[j][i] q[i][c]    dv[j][c] = sum over i of P[j][i] g[i][c]
//
// The queries are divided among segments with sums of their own, which are
// added in their order, so that there is work for all threads where images and
// heads are few; where they are many a thread takes all segments of one.
type attnGrad struct {
	heads
	segments int // of a head
	shared   int // segments of all heads, if threads share a head
	scratch  []gradScratch
	sums     []float32 // [shared][2][pixels][stride]
	args     *engine.Args

	headJob, segmentJob, writeJob func(chunk, worker int)
}

// gradScratch is the memory of one worker.
type gradScratch struct {
	tileScratch
	p, ds      []float32 // [pixels][columns of a block]
	transposed []float32 // q or g: [columns of a block][stride]
	shift, d   []float32 // -lse and -scale*D
	sums       []float32 // [segments][2][pixels][stride], if shared = 0
}

// gradGroups is the size of a block of queries in groups of 16. The sums of dk
// and dv are read and written once a block, so it is twice a tile's width.
const (
	gradGroups  = 2 * maxVectors
	gradColumns = gradGroups * lineFloats
)

// gradSegments is the number of segments of a head. It must not depend on the
// batch.
const gradSegments = 2

func newAttnGrad(b *Backend, c engine.Call, count int) *attnGrad {
	a := &attnGrad{heads: newHeads(b, c.In[1], count, gradGroups)}
	a.segments = min(gradSegments, a.blocks.count)
	if a.items() < 2*b.pool.Threads() {
		a.shared = a.items() * a.segments
	}
	a.scratch = make([]gradScratch, b.pool.Threads())
	a.headJob, a.segmentJob, a.writeJob = a.head, a.sharedSegment, a.writeShared
	return a
}

// stride returns the elements between rows of a transposed operand, sumsLen
// those of the sums of dk and dv.
func (a *attnGrad) stride() int  { return roundUp(a.c, lineFloats) }
func (a *attnGrad) sumsLen() int { return 2 * a.pixels * a.stride() }

// ownLen returns the elements of a worker's own sums.
func (a *attnGrad) ownLen() int {
	if a.shared > 0 {
		return 0
	}
	return a.segments * a.sumsLen()
}

// Workspace implements engine.Kernel.
func (a *attnGrad) Workspace() int {
	return workspace(len(a.scratch), []int{a.shared * a.sumsLen()}, []int{
		tileScratchLen, a.blockLen(gradGroups), a.blockLen(gradGroups),
		gradColumns * a.stride(), gradColumns, gradColumns, a.ownLen(),
	})
}

// Run implements engine.Kernel.
func (a *attnGrad) Run(args *engine.Args) {
	a.args = args
	m := carve(args.Work.F32)
	a.sums = m.take(a.shared * a.sumsLen())
	for i := range a.scratch {
		w := &a.scratch[i]
		w.take(m.take(tileScratchLen))
		w.p, w.ds = m.take(a.blockLen(gradGroups)), m.take(a.blockLen(gradGroups))
		w.transposed = m.take(gradColumns * a.stride())
		w.shift, w.d, w.sums = m.take(gradColumns), m.take(gradColumns), m.take(a.ownLen())
	}
	if a.shared == 0 {
		a.b.pool.Parallel(a.items(), a.headJob)
		return
	}
	a.b.pool.Parallel(a.shared, a.segmentJob)
	a.b.pool.Parallel(a.items(), a.writeJob)
}

// head computes one head.
func (a *attnGrad) head(item, worker int) {
	w := &a.scratch[worker]
	for s := range a.segments {
		a.segment(w, item, s, w.sums[s*a.sumsLen():])
	}
	a.write(item, w.sums)
}

// sharedSegment computes one segment of a head, writeShared what its segments
// add up to.
func (a *attnGrad) sharedSegment(chunk, worker int) {
	a.segment(&a.scratch[worker], chunk/a.segments, chunk%a.segments, a.sums[chunk*a.sumsLen():])
}

func (a *attnGrad) writeShared(item, _ int) {
	a.write(item, a.sums[item*a.segments*a.sumsLen():])
}

// segment goes over the queries of a segment.
func (a *attnGrad) segment(w *gradScratch, item, segment int, sums []float32) {
	first, last := segment*a.blocks.count/a.segments, (segment+1)*a.blocks.count/a.segments
	for i := first; i < last; i++ {
		from, cols := a.blocks.at(i)
		a.block(w, item, from, cols, sums, i > first)
	}
}

// block computes dq of the queries [from,from+cols) and adds to the sums of dk
// and dv, or starts them.
func (a *attnGrad) block(w *gradScratch, item, from, cols int, sums []float32, accumulate bool) {
	qkv, step := a.args.In[1].F32, a.step()
	q, k, v := a.part(qkv, item, 0)[from:], a.part(qkv, item, 1), a.part(qkv, item, 2)
	g := a.args.In[0].F32[item*a.c*a.pixels+from:]
	a.shifts(w, item, from, cols, g)
	a.logits(&w.tileScratch, w.p, k, step, q, step, cols, w.shift)
	a.logits(&w.tileScratch, w.ds, v, step, g, a.pixels, cols, w.d)
	p, ds := w.p[:a.pixels*cols], w.ds[:a.pixels*cols]
	a.k.expAffine(p, p, 1, 0)
	a.k.mul(ds, ds, p, 1)
	a.weighted(&w.tileScratch, a.part(a.args.Out.F32, item, 0)[from:], step, k, ds, cols)
	a.addKeys(w, sums, ds, q, step, cols, accumulate)
	a.addKeys(w, sums[a.sumsLen()/2:], p, g, a.pixels, cols, accumulate)
}

// shifts writes -lse and -scale*D of the queries of a block.
func (a *attnGrad) shifts(w *gradScratch, item, from, cols int, g []float32) {
	out := a.args.In[3].F32[item*a.c*a.pixels+from:]
	clear(w.d)
	a.k.affine(w.shift[:cols], a.args.In[2].F32[item*a.pixels+from:], -1, 0)
	d := w.d[:cols]
	for c := range a.c {
		a.k.mulAdd(d, g[c*a.pixels:], out[c*a.pixels:])
	}
	a.k.affine(d, d, -a.scale, 0)
}

// addKeys adds w[j][i] x[c][i], summed over the cols queries i of a block, to
// sums[j][c], or sets it; rows of x are step apart.
func (a *attnGrad) addKeys(s *gradScratch, sums, w, x []float32, step, cols int, accumulate bool) {
	a.k.interleave(s.transposed, x, a.c, roundUp(a.c, 4), step, cols, a.stride())
	p := product{
		a: w, aRow: cols, aStep: 1, b: s.transposed, bStep: a.stride(), c: sums, ldc: a.stride(),
		m: a.pixels, n: a.c, depth: cols, accumulate: accumulate,
	}
	a.k.multiplyAll(&p, &s.tileScratch)
}

// write adds the sums of the segments of a head and writes its dk and dv.
func (a *attnGrad) write(item int, sums []float32) {
	size := a.sumsLen()
	total := sums[:size]
	for s := 1; s < a.segments; s++ {
		a.k.axpby(total, total, sums[s*size:], 1, 1, 0)
	}
	for half := range 2 {
		dst := a.part(a.args.Out.F32, item, 1+half)
		a.k.transpose(dst, total[half*size/2:], a.pixels, a.c, a.step(), a.stride())
	}
}
