package cpu

// A tile is a few cache lines of each of many rows, and rows of an image's
// channels are pages apart: too irregular for a processor to foresee. So the
// kernels fetch the lines of the next group of columns while they compute, at
// an even pace. Fetches change no result.

const (
	fetchSteps   = 4   // steps of a sum between fetches: a turn of the kernel
	fetchLines   = 6   // lines that a turn fetches at most
	groupColumns = 192 // columns fetched at a time: runs of 12 lines
)

// fetchPlan lists where the cache lines begin of a group of columns of B and of
// as many of C, and of a block of rows of A.
type fetchPlan struct{ a, b, c []int32 }

// lineStarts lists the lines of rows rows of cols elements, stride apart.
func lineStarts(rows, cols, stride int) (all []int32) {
	for i := range rows {
		for j := 0; j < cols; j += lineFloats {
			all = append(all, int32(i*stride+j))
		}
	}
	return all
}

// newFetchPlan returns the plan of a product.
func newFetchPlan(p *product) *fetchPlan {
	plan := &fetchPlan{
		b: lineStarts(p.depth, groupColumns, p.bStep),
		c: lineStarts(p.rowBlock(), groupColumns, p.ldc),
	}
	if p.rowBlock() < p.m && p.aStep == 1 {
		plan.a = lineStarts(p.rowBlock(), p.depth, p.aRow)
	}
	return plan
}

// fetchList are lines to be fetched: elements of base.
type fetchList struct {
	base  []float32
	lines []int32
}

// fetchLists are the lists of the next operands: B, C, the residual and A.
type fetchLists [4]fetchList

// fetcher hands out lists of lines.
type fetcher struct {
	lists fetchLists
	turns int // of the kernels until the lines are wanted
}

func (f *fetcher) start(lists fetchLists, turns int) { f.lists, f.turns = lists, turns }

// share gives a call of a kernel its even share of the lines.
func (f *fetcher) share(t *tileArgs) {
	var from *fetchList
	left := 0
	for i := range f.lists {
		if from == nil && len(f.lists[i].lines) > 0 {
			from = &f.lists[i]
		}
		left += len(f.lists[i].lines)
	}
	t.lines, t.pace = nil, 0
	turns := t.panels * (t.depth / fetchSteps)
	if from != nil && turns > 0 {
		n := min(len(from.lines), ceilDiv(left*turns, max(f.turns, 1)), turns*fetchLines)
		t.ahead, t.lines, from.lines = from.base, from.lines[:n], from.lines[n:]
		t.pace = min(ceilDiv(n<<32, turns*fetchLines), 1<<32-1)
	}
	f.turns -= turns
}

// comingUp lists what is fetched while the kernels compute rows [i,i+rows) of a
// group of columns: the next group, which begins with a tile, or if the tiles
// end at to, the first group of the next block of rows, or what comes after the
// product.
func (p *product) comingUp(k *kernels, i, rows, first, tile, to int) (lists fetchLists) {
	plan := p.ahead
	if plan == nil {
		return lists
	}
	next, from := p.next, 0
	if tile >= to {
		i, tile = i+rows, first
	}
	if i < p.m {
		rows = min(p.rowBlock(), p.m-i)
		from, _ = k.tiles(p.n).at(tile)
		next = [3][]float32{p.b, p.c[i*p.ldc:], nil}
		if p.residual != nil {
			next[2] = p.residual[i*p.ldc:]
		}
	}
	if tile == first && 0 < i && i < p.m {
		lists[3] = fetchList{p.a[i*p.aRow:], plan.a[:len(plan.a)/p.rowBlock()*rows]}
	}
	c := plan.c[:len(plan.c)/p.rowBlock()*rows]
	for n, lines := range [][]int32{plan.b, c, c} {
		if next[n] != nil {
			lists[n] = fetchList{next[n][from:], lines}
		}
	}
	return lists
}
