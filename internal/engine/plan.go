package engine

import (
	"cmp"
	"slices"

	"edm/internal/op"
)

// align is the alignment of every span in elements: 256 bytes of float32, several
// cache lines, and what a GPU's memory is allocated with.
const align = 64

// block is a piece of arena memory that lives from step first to step last.
type block struct {
	size, at    int
	first, last int
}

// plan places the pieces of a layout in the arena.
func (p *Program) plan(l Layout) {
	for i, n := range l.Work {
		p.Steps[i].Work.Len = n
	}
	for i, last := range l.Last {
		p.values[i].kept = last
	}
	p.pieces = l.Pieces
	p.shareInPlace()
	b := p.blocks()
	p.arena = place(b.all)
	for i, o := range b.owner {
		p.values[i].span = Span{o.at, p.values[i].shape.TotalSize()}
	}
	for i, w := range b.scratch {
		p.Steps[i].Work.At = w.at
	}
	for _, k := range b.pieces {
		p.places = append(p.places, Span{k.at, k.size})
	}
}

// blocks is the memory that the arena holds: that of each intermediate value, of
// each step's scratch memory and of the layout's pieces.
type blocks struct {
	all, scratch, pieces []*block
	owner                map[int]*block // of a value
}

// add appends a block.
func (b *blocks) add(size, first, last int) *block {
	k := &block{size: size, first: first, last: last}
	b.all = append(b.all, k)
	return k
}

func (p *Program) blocks() *blocks {
	b := &blocks{owner: map[int]*block{}}
	for i, s := range p.Steps {
		b.scratch = append(b.scratch, b.add(s.Work.Len, i, i))
		v := p.values[s.Output]
		switch {
		case !v.present():
		case v.alias >= 0: // of a value that an earlier step wrote
			o := b.owner[v.alias]
			o.last = max(o.last, v.kept)
			b.owner[s.Output] = o
		default:
			b.owner[s.Output] = b.add(v.shape.TotalSize(), v.first, v.kept)
		}
	}
	for _, k := range p.pieces {
		b.pieces = append(b.pieces, b.add(k.Len, k.First, k.Last))
	}
	return b
}

// shareInPlace lets a step overwrite an intermediate that it is the last to
// have, where its operation allows it.
func (p *Program) shareInPlace() {
	end := make([]int, len(p.values)) // last step of each memory owner
	root := func(i int) int {
		for p.values[i].alias >= 0 {
			i = p.values[i].alias
		}
		return i
	}
	for i, v := range p.values {
		end[i] = v.kept
	}
	for at, s := range p.Steps {
		in, ok := s.Spec.(op.InPlacer)
		if !ok || !p.values[s.Output].present() {
			continue
		}
		allowed := in.InPlace()
		for _, k := range allowed {
			r := root(s.Inputs[k])
			if !p.values[r].present() || end[r] != at ||
				p.values[r].shape.TotalSize() != s.Out.TotalSize() || readElsewhere(s, allowed, r, root) {
				continue
			}
			p.values[s.Output].alias = r
			end[r] = p.values[s.Output].kept
			break
		}
	}
}

// readElsewhere reports whether the step also reads the memory of r through an
// input that must not be overwritten.
func readElsewhere(s Step, allowed []int, r int, root func(int) int) bool {
	for j, in := range s.Inputs {
		if root(in) == r && !slices.Contains(allowed, j) {
			return true
		}
	}
	return false
}

// place gives every block an offset such that blocks alive in one step do not
// overlap, and returns the arena's size. Largest blocks first, of equal ones those
// that live longest, each into the lowest gap that holds it.
func place(blocks []*block) int {
	order := slices.Clone(blocks)
	slices.SortStableFunc(order, func(a, b *block) int {
		return cmp.Or(b.size-a.size, (b.last-b.first)-(a.last-a.first), a.first-b.first)
	})
	var placed []*block // by offset
	total := 0
	for _, b := range order {
		if b.size == 0 {
			continue
		}
		at := 0
		for _, o := range placed {
			if o.last < b.first || b.last < o.first {
				continue
			}
			if at+b.size <= o.at {
				break
			}
			at = max(at, (o.at+o.size+align-1)/align*align)
		}
		b.at = at
		i, _ := slices.BinarySearchFunc(placed, at, func(o *block, at int) int { return o.at - at })
		placed = slices.Insert(placed, i, b)
		total = max(total, at+b.size)
	}
	return total
}
