//go:build gpu

package cuda

import (
	"slices"

	"edm/internal/engine"
	"edm/internal/op"
)

// storage says how the values of a program are stored, and what each step of it
// runs for that. Inputs and outputs of the program are float32, and so is every
// value that some step reads as that. A value that steps read as packed pixels
// (packer) has a packed form besides, or alone:
//
//   - if it is read as packed pixels only, and its step can write them
//     (packedWriter), they are its only form;
//   - else copies are packed, each by the first step that wants it. A copy serves
//     later steps, too, once it is the only form, since nothing reads the elements
//     any more, or if they follow within a few steps (copyReach). So a gradient is
//     packed once for its two products, and what the forward pass packs of a value
//     that is read as float32 later is packed again in the backward pass.
//
// A norm whose result only a dropout reads, which in turn is read as packed pixels
// only, leaves its work to the dropout's step, where it may.
type storage struct {
	layout engine.Layout
	steps  []work // one a step of the program
}

// copyReach is the number of steps for which a packed copy waits for another reader
// while the elements are alive beside it.
const copyReach = 4

// none stands for the number of a piece or a step that there is not.
const none = -1

// work is the work of one step: packing, and then an operation.
type work struct {
	kernel kernel
	inputs []int     // the values that it reads
	packed []int     // of each input: the piece of its packed pixels, or none
	copies []packing // made first
	result int       // the piece that its packed result goes to, or none
}

// launches returns what the step runs: the packing that it is the first to want, and
// its operation. Of its operands the result and the scratch memory are given; value
// and piece return where these lie.
func (w *work) launches(o operands, value, piece func(int) pointer) []launch {
	if w.result != none {
		o.out = piece(w.result)
	}
	for j, id := range w.inputs {
		o.in = append(o.in, value(id))
		o.packed = append(o.packed, piece(w.packed[j]))
	}
	var all []launch
	for _, c := range w.copies {
		all = append(all, c.pixels.pack(piece(c.piece), value(c.value)))
	}
	return append(all, w.kernel.launches(o)...)
}

// packing is packed pixels made of a value's elements.
type packing struct {
	value, piece int
	pixels       packedPixels
}

// planner decides the storage of a program.
type planner struct {
	*storage
	program *engine.Program
	uses    []use // of each value
}

// use is how a value is used.
type use struct {
	made    int         // the step that writes it; none for an input
	readers int         // of its elements
	last    int         // of these; none if there is none
	packed  []reference // readers of packed pixels, in their order
}

// reference is an input of a step.
type reference struct{ step, input int }

// newStorage returns the storage of a program whose steps' operations are given.
// Without packs all values are float32, and the operations pack their inputs.
func newStorage(p *engine.Program, kernels []kernel, packs bool) (*storage, error) {
	l := &planner{storage: &storage{layout: engine.PlainLayout(p)}, program: p, uses: make([]use, p.NumValues())}
	for id := range l.uses {
		l.uses[id] = use{made: none, last: none}
	}
	for i, k := range kernels {
		l.add(i, k, packs)
	}
	if err := l.join(); err != nil {
		return nil, err
	}
	for id := range l.uses {
		l.store(id)
	}
	return l.storage, nil
}

// add notes the values that step number i reads and writes.
func (l *planner) add(i int, k kernel, packs bool) {
	s := &l.program.Steps[i]
	l.steps = append(l.steps, newWork(k, s.Inputs))
	l.layout.Work[i] = k.workspace()
	l.uses[s.Output].made = i
	var packed []int
	if r, ok := k.(packer); ok && packs {
		packed = r.packedInputs()
		l.layout.Work[i] = r.packedWorkspace()
	}
	for j, id := range s.Inputs {
		if u := &l.uses[id]; slices.Contains(packed, j) {
			u.packed = append(u.packed, reference{i, j})
		} else {
			u.readers++
			u.last = i
		}
	}
}

// newWork returns the work of a step without packing.
func newWork(k kernel, inputs []int) work {
	return work{kernel: k, inputs: inputs, packed: slices.Repeat([]int{none}, len(inputs)), result: none}
}

// join lets a dropout with a packed result do the work of the norm that it alone
// reads, whose result is then nowhere.
func (l *planner) join() error {
	for i := range l.program.Steps {
		s := &l.program.Steps[i]
		if _, ok := s.Spec.(op.Dropout); !ok || !l.packedAlone(s.Output) {
			continue
		}
		between := s.Inputs[0]
		u := &l.uses[between]
		if !l.intermediate(between) || u.readers != 1 || len(u.packed) > 0 {
			continue
		}
		norm := &l.program.Steps[u.made]
		k, err := newDroppedNorm(norm.Call, s.Call)
		if err != nil {
			return err
		}
		if k == nil {
			continue
		}
		l.steps[u.made] = newWork(nothing, nil)
		l.steps[i] = newWork(twoForms{k, k}, slices.Concat(norm.Inputs, s.Inputs[1:]))
		l.layout.Last[between] = engine.Absent
		for _, id := range norm.Inputs { // which wait for this step
			l.uses[id].last = max(l.uses[id].last, i)
			l.layout.Last[id] = max(l.layout.Last[id], i)
		}
	}
	return nil
}

// nothing is the operation of a step whose work another one does.
var nothing = recipe(func(operands) []launch { return nil })

func (l *planner) intermediate(id int) bool { return l.program.Value(id).Role == engine.Intermediate }

// packedAlone reports whether packed pixels are all that is read of a value.
func (l *planner) packedAlone(id int) bool {
	return l.intermediate(id) && l.uses[id].readers == 0 && len(l.uses[id].packed) > 0
}

// store decides the forms of a value.
func (l *planner) store(id int) {
	u := &l.uses[id]
	if len(u.packed) == 0 {
		return
	}
	pixels := newPackedPixels(l.program.Value(id).Shape)
	if w, ok := l.writer(id); ok {
		l.steps[u.made].kernel, l.steps[u.made].result = w.packed(), len(l.layout.Pieces)
		l.layout.Last[id] = engine.Absent
		l.piece(pixels, u.made, u.packed)
		return
	}
	for rest := u.packed; len(rest) > 0; {
		n := l.served(id, rest)
		first := rest[0].step
		l.steps[first].copies = append(l.steps[first].copies, packing{id, len(l.layout.Pieces), pixels})
		l.layout.Last[id] = max(u.last, first)
		l.piece(pixels, first, rest[:n])
		rest = rest[n:]
	}
}

// writer returns the operation that can write all that is read of a value, if there
// is one.
func (l *planner) writer(id int) (packedWriter, bool) {
	if !l.packedAlone(id) {
		return nil, false
	}
	w, ok := l.steps[l.uses[id].made].kernel.(packedWriter)
	return w, ok
}

// served returns how many of a value's readers, in their order, have the copy that
// is made for the first.
func (l *planner) served(id int, readers []reference) int {
	n := 1
	for ; n < len(readers); n++ {
		before := readers[n-1].step
		alone := l.intermediate(id) && l.uses[id].last <= before
		if !alone && readers[n].step-before > copyReach {
			break
		}
	}
	return n
}

// piece adds the memory of packed pixels that are there from a step on, for readers.
func (l *planner) piece(pixels packedPixels, first int, readers []reference) {
	for _, r := range readers {
		l.steps[r.step].packed[r.input] = len(l.layout.Pieces)
	}
	l.layout.Pieces = append(l.layout.Pieces, engine.Piece{
		Len: pixels.elements(), First: first, Last: readers[len(readers)-1].step,
	})
}
