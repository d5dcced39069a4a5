package engine

import (
	"cmp"
	"slices"

	"edm/internal/op"
)

// align is the alignment of every span in elements: 64 bytes of float32, a
// cache line and the widest vector.
const align = 16

// block is a piece of arena memory that lives from step first to step last.
type block struct {
	size, at    int
	first, last int
}

// plan places intermediates and scratch memory in the arena. Steps hold the
// length of their scratch memory.
func (p *Program) plan() {
	p.shareInPlace()
	blocks, owner, scratch := p.blocks()
	p.arena = place(blocks)
	for i, b := range owner {
		p.values[i].span = Span{b.at, p.values[i].shape.TotalSize()}
	}
	for i, b := range scratch {
		p.Steps[i].Work.At = b.at
	}
}

// blocks returns the pieces of memory that the arena holds, the one of each
// intermediate value and that of each step's scratch memory.
func (p *Program) blocks() (all []*block, owner map[int]*block, scratch []*block) {
	owner = map[int]*block{}
	for i, s := range p.Steps {
		work := &block{size: s.Work.Len, first: i, last: i}
		scratch, all = append(scratch, work), append(all, work)
		v := p.values[s.Output]
		switch {
		case v.role != Intermediate:
		case v.alias >= 0: // of a value that an earlier step wrote
			b := owner[v.alias]
			b.last = max(b.last, v.last)
			owner[s.Output] = b
		default:
			b := &block{size: v.shape.TotalSize(), first: v.first, last: v.last}
			owner[s.Output] = b
			all = append(all, b)
		}
	}
	return all, owner, scratch
}

// shareInPlace lets a step overwrite an intermediate that it is the last to
// read, where its operation allows it.
func (p *Program) shareInPlace() {
	end := make([]int, len(p.values)) // last read of each memory owner
	root := func(i int) int {
		for p.values[i].alias >= 0 {
			i = p.values[i].alias
		}
		return i
	}
	for i, v := range p.values {
		end[i] = v.last
	}
	for at, s := range p.Steps {
		in, ok := s.Spec.(op.InPlacer)
		if !ok || p.values[s.Output].role != Intermediate {
			continue
		}
		allowed := in.InPlace()
		for _, k := range allowed {
			r := root(s.Inputs[k])
			if p.values[r].role != Intermediate || end[r] != at ||
				p.values[r].shape.TotalSize() != s.Out.TotalSize() || readElsewhere(s, allowed, r, root) {
				continue
			}
			p.values[s.Output].alias = r
			end[r] = p.values[s.Output].last
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
