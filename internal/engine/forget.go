package engine

import (
	"errors"
	"fmt"

	"gorgonia.org/gorgonia"

	"edm/internal/op"
)

// Forgetting trades time for memory (gradient checkpointing: Chen et al. 2016):
// Values are not kept for the steps behind the one that computes Until. The
// first of those that reads such a value has it computed again, from values that
// are kept or, in turn, from others computed again. A value is computed twice at
// most, by equal kernels from equal bits, so no result changes. Values that are
// inputs or outputs of the program, or that it does not compute before Until,
// are not concerned.
type Forgetting struct {
	Values gorgonia.Nodes
	Until  *gorgonia.Node // the loss, for a graph with a backward pass
}

// CompileForgetting is Compile with values that are not kept.
func CompileForgetting(b Backend, f Forgetting, outputs ...*gorgonia.Node) (*Program, error) {
	if len(outputs) == 0 {
		return nil, errors.New("engine: compile: no outputs")
	}
	p := &Program{ids: map[*gorgonia.Node]int{}, backend: b}
	if err := p.number(outputs); err != nil {
		return nil, err
	}
	s, err := newScheduler(p, f)
	if err != nil {
		return nil, err
	}
	if err := s.schedule(); err != nil {
		return nil, err
	}
	l, err := p.layout()
	if err == nil {
		err = l.check(p)
	}
	if err != nil {
		return nil, fmt.Errorf("engine: compile: %w", err)
	}
	p.plan(l)
	return p, nil
}

// scheduler appends the steps of a program in the order of their values, and
// those of forgotten values once more where they are first needed again.
type scheduler struct {
	*Program
	until int         // value behind which forgotten ones are not there
	again map[int]int // forgotten value -> the value that takes its place, or none
}

// none stands for a forgotten value that has not been computed again.
const none = -1

func newScheduler(p *Program, f Forgetting) (*scheduler, error) {
	s := &scheduler{Program: p, again: map[int]int{}}
	if len(f.Values) == 0 {
		return s, nil
	}
	var ok bool
	if s.until, ok = p.ids[f.Until]; !ok {
		return nil, fmt.Errorf("engine: compile: values are to be forgotten after %v, which the outputs do not need", f.Until)
	}
	for _, n := range f.Values {
		if id, ok := p.ids[n]; ok && id < s.until && p.values[id].role == Intermediate {
			s.again[id] = none
		}
	}
	return s, nil
}

// schedule appends every step.
func (s *scheduler) schedule() error {
	for id := range len(s.values) { // not those that are added meanwhile
		if s.values[id].role == Input {
			continue
		}
		if err := s.add(id, id > s.until); err != nil {
			return err
		}
	}
	return nil
}

// add appends the step that computes value id; late says that forgotten values
// are no longer there.
func (s *scheduler) add(id int, late bool) error {
	n := s.values[id].node
	spec, err := specOf(n)
	if err != nil {
		return err
	}
	step := Step{Call: Call{Spec: spec, Out: s.values[id].shape, DType: s.DType}, Output: id}
	for _, c := range op.Children(n) {
		in := s.ids[c]
		if late {
			if in, err = s.recall(in); err != nil {
				return err
			}
		}
		step.Inputs = append(step.Inputs, in)
		step.In = append(step.In, s.values[in].shape)
	}
	at := len(s.Steps) // behind the steps that recompute
	for _, in := range step.Inputs {
		s.values[in].last = at
	}
	s.values[id].first, s.values[id].last = at, at
	s.Steps = append(s.Steps, step)
	return nil
}

// recall returns the value that late steps read in the place of value id: itself
// unless it was forgotten, else a second one, which it appends the step of the
// first time.
func (s *scheduler) recall(id int) (int, error) {
	second, forgotten := s.again[id]
	if !forgotten {
		return id, nil
	}
	if second != none {
		return second, nil
	}
	second = len(s.values)
	v := s.values[id]
	s.values = append(s.values, value{node: v.node, shape: v.shape, dtype: v.dtype, alias: -1})
	s.again[id] = second
	if err := s.add(second, true); err != nil {
		return none, err
	}
	s.Steps[len(s.Steps)-1].Again = true
	return second, nil
}
