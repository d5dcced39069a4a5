package cpu

// tileArgs are the arguments of a tileFunc. Elements of a panel of A and of B are
//
//	A[i][k] = a[i*aRow + k*aStep]    B[k][j] = b[k*bStep + j]
//
// so that neither a matrix nor its transpose needs packing. It is an alias of a
// literal type because the declarations of the assembly repeat that type
// (tools/asmgen/tile.go): if the two differ, the package does not compile.
type tileArgs = struct {
	a           []float32
	aRow, aStep int

	// With pack, the first panel copies the rows of B to it, adjacent, and the
	// panels below read them there: a B with rows far apart then stays in the
	// L1 cache.
	b     []float32
	bStep int
	pack  []float32

	depth, panels int // steps of the sum, 1 to maxDepth; panels of A, at least 1

	c   []float32
	ldc int

	accumulate int // 1 adds the contents of c to the sums

	// With finish = 1 the result is scale*sum + add[i] + scale*residual[i*ldc+j]
	// or, with shift in the place of add, scale*sum + shift[j] + ...; any of the
	// slices may be nil.
	finish     int
	scale      float32
	add, shift []float32
	residual   []float32

	// The cache lines of ahead at lines are fetched to the L2 cache meanwhile,
	// fetchLines in each of pace/2**32 of the turns. A turn is fetchSteps steps.
	ahead []float32
	lines []int32
	pace  int
}

// tileFunc computes tiles of kernels.rows rows, one for each panel of A, below
// each other:
//
//	c[i*ldc+j] = sum over k of A[i][k]*B[k][j]
//
// with the additions of tileArgs. Each sum is one chain of multiply-adds in the
// order of k.
type tileFunc func(t *tileArgs)

const maxDepth = 256 // steps of one call of a tileFunc

// tileScratch is the memory of one worker that multiplies.
type tileScratch struct {
	args, border   tileArgs
	pack           []float32 // [maxDepth][columns of a tile]: the copy of B
	panel          []float32 // [maxDepth][rows]: the copy of A's last rows
	edge, residual []float32 // a tile that reaches outside C
	add            [maxRows]float32
	shift          [maxColumns]float32
	fetch          fetcher
}

// tileScratchLen is the elements that take hands to a tileScratch.
const tileScratchLen = maxDepth*maxColumns + maxDepth*maxRows + 2*maxTile

func (s *tileScratch) take(work []float32) {
	m := memory{work}
	s.pack, s.panel = m.take(maxDepth*maxColumns), m.take(maxDepth*maxRows)
	s.edge, s.residual = m.take(maxTile), m.take(maxTile)
}

// column computes m rows and cols columns, at most three vectors, of the
// product that s.args describes for whole tiles. Parts of tiles go through
// scratch memory, so that nothing outside of the matrices is touched.
func (k *kernels) column(s *tileScratch, m, cols int) {
	t := &s.args
	vectors := ceilDiv(cols, k.lanes)
	whole := 0
	if vectors*k.lanes == cols {
		t.panels = m / k.rows
		whole = t.panels * k.rows
	}
	if whole > 0 {
		s.fetch.share(t)
		k.tile[vectors](t)
	}
	if whole == m {
		return
	}
	e := &s.border
	*e = *t
	e.lines, e.panels = nil, 1
	if whole > 0 && t.pack != nil {
		e.b, e.bStep = t.pack, cols
	} else {
		s.copyB(cols, vectors*k.lanes)
	}
	e.pack = nil
	if t.shift != nil {
		copy(s.shift[:], t.shift[:cols])
		e.shift = s.shift[:]
	}
	for i := whole; i < m; i += k.rows {
		k.borderTile(s, i, min(k.rows, m-i), cols, vectors)
	}
}

// copyB makes the border's B a copy of its first cols columns, with zeros up to
// wide.
func (s *tileScratch) copyB(cols, wide int) {
	e := &s.border
	for i := range e.depth {
		row := s.pack[i*wide : (i+1)*wide]
		clear(row[copy(row, e.b[i*e.bStep:i*e.bStep+cols]):])
	}
	e.b, e.bStep = s.pack, wide
}

// copyA makes the border's A a copy of rows [i,i+rows), with zeros up to tall.
func (s *tileScratch) copyA(i, rows, tall int) {
	t, e := &s.args, &s.border
	for step := range t.depth {
		group := s.panel[step*tall : (step+1)*tall]
		clear(group)
		for r := range rows {
			group[r] = t.a[(i+r)*t.aRow+step*t.aStep]
		}
	}
	e.a, e.aRow, e.aStep = s.panel, 1, tall
}

// borderTile computes rows [i,i+rows) of a column in scratch memory and copies
// the part that belongs to C.
func (k *kernels) borderTile(s *tileScratch, i, rows, cols, vectors int) {
	t, e, wide := &s.args, &s.border, vectors*k.lanes
	e.a, e.aRow, e.aStep = t.a[i*t.aRow:], t.aRow, t.aStep
	if rows < k.rows {
		s.copyA(i, rows, k.rows)
	}
	e.c, e.ldc = s.edge, wide
	if t.add != nil {
		copy(s.add[:], t.add[i:i+rows])
		e.add = s.add[:]
	}
	c := t.c[i*t.ldc:]
	if t.accumulate != 0 {
		copyTile(s.edge, c, rows, cols, wide, t.ldc)
	}
	if t.residual != nil {
		copyTile(s.residual, t.residual[i*t.ldc:], rows, cols, wide, t.ldc)
		e.residual = s.residual
	}
	k.tile[vectors](e)
	copyTile(c, s.edge, rows, cols, t.ldc, wide)
}

// copyTile copies rows of cols elements.
func copyTile(dst, src []float32, rows, cols, dstStride, srcStride int) {
	for r := range rows {
		copy(dst[r*dstStride:r*dstStride+cols], src[r*srcStride:])
	}
}
