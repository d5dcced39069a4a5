package engine_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"gorgonia.org/tensor"

	"edm/internal/engine"
)

// recoder is a backend that keeps values in forms of its own: some in the arena
// until they are read, some negated, in a piece, from the step that writes them to
// the last that reads them. Of the latter some are written to the arena first.
type recoder struct {
	engine.Portable
	seed   uint64
	edit   func(l *engine.Layout)
	pieces map[int]int // of a value
}

// step returns the number of the step that writes a value.
func step(p *engine.Program, id int) int {
	return slices.IndexFunc(p.Steps, func(s engine.Step) bool { return s.Output == id })
}

// Layout implements engine.Executor.
func (b *recoder) Layout(p *engine.Program) (engine.Layout, error) {
	l, err := engine.KernelLayout(p, b.Portable)
	draw := rand.New(rand.NewPCG(b.seed, 1))
	b.pieces = map[int]int{}
	for id := range p.NumValues() {
		v := p.Value(id)
		choice := draw.IntN(3)
		if v.Role != engine.Intermediate || choice == 0 {
			continue
		}
		first := step(p, id)
		b.pieces[id] = len(l.Pieces)
		l.Pieces = append(l.Pieces, engine.Piece{Len: v.Shape.TotalSize(), First: first, Last: l.Last[id]})
		if l.Last[id] = first; choice == 1 {
			l.Last[id] = engine.Absent
		}
	}
	for i := range l.Work {
		l.Work[i] = draw.IntN(500)
	}
	if b.edit != nil {
		b.edit(&l)
	}
	return l, err
}

// NewRunner implements engine.Executor.
func (b *recoder) NewRunner(p *engine.Program) (engine.Runner, error) {
	return &recoded{recoder: b, program: p, arena: make([]float32, p.ArenaLen()), bound: map[int]engine.Buffer{}}, nil
}

// recoded runs a program of a recoder.
type recoded struct {
	*recoder
	program *engine.Program
	arena   []float32
	bound   map[int]engine.Buffer
}

func (r *recoded) Bind(id int, b engine.Buffer, _ uint64) { r.bound[id] = b }
func (r *recoded) Wait() error                            { return nil }

func (r *recoded) RunTimed(func(*engine.Step, time.Duration)) error { return r.Start() }

func (r *recoded) at(s engine.Span) []float32 { return r.arena[s.At : s.At+s.Len] }

// Start implements engine.Runner.
func (r *recoded) Start() error {
	poison(r.arena)
	for i := range r.program.Steps {
		s := &r.program.Steps[i]
		k, err := r.Portable.Kernel(s.Call)
		if err != nil {
			return err
		}
		a := engine.Args{Out: r.output(s.Output), Version: make([]uint64, len(s.Inputs))}
		for _, id := range s.Inputs {
			a.In = append(a.In, r.input(id))
		}
		k.Run(&a)
		if piece, ok := r.pieces[s.Output]; ok {
			negate(r.at(r.program.Piece(piece)), a.Out.F32)
		}
		poison(r.at(s.Work))
	}
	return nil
}

// input returns the elements of a value.
func (r *recoded) input(id int) engine.Buffer {
	piece, ok := r.pieces[id]
	if !ok {
		return r.output(id)
	}
	b := engine.NewBuffer(engine.Float32, r.program.Value(id).Shape.TotalSize())
	negate(b.F32, r.at(r.program.Piece(piece)))
	return b
}

// output returns where the elements of a value are written.
func (r *recoded) output(id int) engine.Buffer {
	v := r.program.Value(id)
	switch {
	case v.Role != engine.Intermediate:
		return r.bound[id]
	case v.Span.Len == 0:
		return engine.NewBuffer(v.DType, v.Shape.TotalSize())
	}
	return engine.Buffer{F32: r.at(v.Span)}
}

func poison(x []float32) {
	for i := range x {
		x[i] = float32(math.NaN())
	}
}

func negate(y, x []float32) {
	for i := range x {
		y[i] = -x[i]
	}
}

// Whatever of a program's values a backend keeps in forms of its own, and with
// values that are forgotten, nothing that is alive lies over another: the outputs
// keep their bits.
func TestLayoutsKeepApart(t *testing.T) {
	n := newTiny(t, tensor.Float32)
	want := n.run(t, engine.Portable{})
	for seed := range uint64(6) {
		b := &recoder{seed: seed}
		m := n.forgetting(t, b, n.computed()[:seed*40])
		for i, got := range n.values(t, m) {
			if !slices.Equal(got, want[i]) {
				t.Errorf("layout %d: %s has other bits", seed, n.names[i])
			}
		}
		p := m.Program()
		if p.ArenaBytes() != int64(4*p.ArenaLen()) || p.ArenaBytes() < p.LiveBytes() || p.ArenaBytes() > p.LiveBytes()*11/10 {
			t.Errorf("layout %d: arena of %d bytes, least %d", seed, p.ArenaBytes(), p.LiveBytes())
		}
	}
}

// LiveBytes is the greatest sum of what a layout has alive in a step.
func TestLiveBytesOfALayout(t *testing.T) {
	p, err := engine.Compile(&recoder{seed: 3}, newTiny(t, tensor.Float32).outputs...)
	must(t, err)
	b := &recoder{seed: 3}
	l, err := b.Layout(p)
	must(t, err)
	most := 0
	for i, s := range p.Steps {
		sum := s.Work.Len
		for _, k := range l.Pieces {
			if k.First <= i && i <= k.Last {
				sum += k.Len
			}
		}
		shared := map[engine.Span]bool{} // by values in place of others
		for id := range p.NumValues() {
			v := p.Value(id)
			if v.Role == engine.Intermediate && step(p, id) <= i && i <= l.Last[id] && !shared[v.Span] {
				shared[v.Span] = true
				sum += v.Span.Len
			}
		}
		most = max(most, sum)
	}
	if got := p.LiveBytes(); got != int64(4*most) {
		t.Errorf("%d bytes are alive at most, want %d", got, 4*most)
	}
}

// A layout that is not of the program is an error.
func TestLayoutFaults(t *testing.T) {
	n := newTiny(t, tensor.Float32)
	for name, edit := range map[string]func(l *engine.Layout){
		"steps and": func(l *engine.Layout) { l.Work = l.Work[1:] },
		"values":    func(l *engine.Layout) { l.Last = append(l.Last, 0) },
		"with value": func(l *engine.Layout) {
			l.Last[len(l.Last)-1], l.Last[slices.Index(l.Last, slices.Max(l.Last))] = 0, 1<<20
		},
		"elements from":   func(l *engine.Layout) { l.Pieces = append(l.Pieces, engine.Piece{Len: 1, First: 3, Last: 2}) },
		"of -1 elements":  func(l *engine.Layout) { l.Pieces[0].Len = -1 },
		"to 1000000 of":   func(l *engine.Layout) { l.Pieces[0].Last = 1000000 },
		"from step -1 to": func(l *engine.Layout) { l.Pieces[0].First = -1 },
	} {
		_, err := engine.Compile(&recoder{seed: 1, edit: edit}, n.outputs...)
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("a layout with other %s: %v", name, err)
		}
	}
}
