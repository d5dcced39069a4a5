package cpu

// A tile is a few cache lines of each of many rows, and rows of an image's
// channels are pages apart: too irregular for a processor to foresee. So the
// kernels fetch the lines of the next group of columns while they compute, at
// an even pace. What is fetched changes no result.

const (
	fetchSteps   = 4   // steps of a sum between fetches: a turn of the kernel
	fetchLines   = 6   // lines that a turn fetches at most
	groupColumns = 192 // columns fetched at a time: runs of 12 lines
)

// fetchPlan lists where the lines of a group of columns of B and of C begin.
type fetchPlan struct{ b, c []int32 }

// newFetchPlan returns the plan for so many rows of B and of C, both of stride
// elements, in groups of cols columns.
func newFetchPlan(bRows, cRows, stride, cols int) *fetchPlan {
	list := func(rows int) (all []int32) {
		for i := range rows {
			for j := 0; j < cols; j += lineFloats {
				all = append(all, int32(i*stride+j))
			}
		}
		return all
	}
	return &fetchPlan{list(bRows), list(cRows)}
}

// fetchList are lines to be fetched: elements of base.
type fetchList struct {
	base  []float32
	lines []int32
}

// fetcher hands out lists of lines.
type fetcher struct {
	lists [3]fetchList
	turns int // of the kernels until the lines are wanted
}

func (f *fetcher) start(lists [3]fetchList, turns int) { f.lists, f.turns = lists, turns }

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

// comingUp lists what is fetched for the group of columns that begins with a
// tile, or if the tiles end at to, for what comes next.
func (p *product) comingUp(k *kernels, tile, to int) (lists [3]fetchList) {
	if p.ahead == nil {
		return lists
	}
	next, from := p.next, 0
	if tile < to {
		next = [3][]float32{p.b, p.c, p.residual}
		from, _ = k.tiles(p.n).at(tile)
	}
	for i, lines := range [][]int32{p.ahead.b, p.ahead.c, p.ahead.c} {
		if next[i] != nil {
			lists[i] = fetchList{next[i][from:], lines}
		}
	}
	return lists
}
