package engine

import "fmt"

// Layout lists the pieces of a program's arena and their lifetimes.
type Layout struct {
	// Work is the scratch memory of each step in elements of the arena. It is
	// alive during that step only.
	Work []int
	// Last is, for each value, the last step with its elements in the arena, where
	// they are from the step that writes them: a step may overwrite those that it
	// is the last to have (op.InPlacer). They are never there if it is Absent. Of
	// inputs and outputs it says nothing.
	Last []int
	// Pieces are memory that the backend has a use of its own for, such as values
	// in another form.
	Pieces []Piece
}

// Piece is memory of Len elements of the arena, alive from step First to Last.
type Piece struct{ Len, First, Last int }

// Absent is the last step with a value in the arena that is never there.
const Absent = -1

// PlainLayout returns the layout with every intermediate in the arena until the
// last step that reads it, and with no scratch memory.
func PlainLayout(p *Program) Layout {
	l := Layout{Work: make([]int, len(p.Steps)), Last: make([]int, len(p.values))}
	for id, v := range p.values {
		l.Last[id] = v.last
	}
	return l
}

// KernelLayout is PlainLayout with the scratch memory that a backend's kernels
// want.
func KernelLayout(p *Program, b Backend) (Layout, error) {
	l := PlainLayout(p)
	for i, s := range p.Steps {
		k, err := b.Kernel(s.Call)
		if err != nil {
			return Layout{}, err
		}
		l.Work[i] = k.Workspace()
	}
	return l, nil
}

// layout asks the backend.
func (p *Program) layout() (Layout, error) {
	if b, ok := p.backend.(Executor); ok {
		return b.Layout(p)
	}
	return KernelLayout(p, p.backend)
}

// check returns an error for a layout of another program.
func (l *Layout) check(p *Program) error {
	if len(l.Work) != len(p.Steps) || len(l.Last) != len(p.values) {
		return fmt.Errorf("a layout of %d steps and %d values, want %d and %d", len(l.Work), len(l.Last), len(p.Steps), len(p.values))
	}
	for id, last := range l.Last {
		if v := p.values[id]; v.role == Intermediate && last != Absent && (last < v.first || last >= len(p.Steps)) {
			return fmt.Errorf("a layout with value %d from step %d to %d of %d", id, v.first, last, len(p.Steps))
		}
	}
	for i, k := range l.Pieces {
		if k.Len < 0 || k.First < 0 || k.First > k.Last || k.Last >= len(p.Steps) {
			return fmt.Errorf("a layout with piece %d of %d elements from step %d to %d of %d", i, k.Len, k.First, k.Last, len(p.Steps))
		}
	}
	return nil
}
