package engine

import (
	"errors"
	"fmt"
	"time"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Machine runs a Program. It implements gorgonia.VM: give the inputs values
// with gorgonia.Let or Bind, call RunAll, read outputs with Value or in the
// bound memory. A Machine is for one goroutine at a time.
//
// A backend that is an Executor runs the program by itself; the machine then
// holds no kernels and no arena.
type Machine struct {
	program *Program
	runner  Runner // of an Executor, or nil
	kernels []Kernel
	args    []Args
	slots   [][]slot // where each value's buffer stands in args
	values  []Buffer
	bound   []bool // by Bind or Feed; others follow the node's Gorgonia value
	fed     map[int]fed
	arena   Buffer
}

// slot is a place in a step's arguments.
type slot struct {
	buffer  *Buffer
	version *uint64 // nil for an output
}

var _ gorgonia.VM = (*Machine)(nil)

// NewMachine prepares the kernels of p and allocates its arena.
func NewMachine(p *Program) (*Machine, error) {
	m := &Machine{program: p, values: make([]Buffer, len(p.values)), bound: make([]bool, len(p.values)), fed: map[int]fed{}}
	if b, ok := p.backend.(Executor); ok {
		var err error
		if m.runner, err = b.NewRunner(p); err != nil {
			return nil, fmt.Errorf("engine: %w", err)
		}
		return m, nil
	}
	if err := m.prepare(); err != nil {
		return nil, err
	}
	m.pair()
	for i, v := range p.values {
		if v.role == Intermediate {
			m.set(i, m.arena.slice(v.span.At, v.span.Len), 0)
		}
	}
	return m, nil
}

// prepare makes the kernels and their arguments.
func (m *Machine) prepare() error {
	p := m.program
	m.kernels, m.args, m.slots = make([]Kernel, len(p.Steps)), make([]Args, len(p.Steps)), make([][]slot, len(p.values))
	m.arena = NewBuffer(p.DType, p.arena)
	for i, s := range p.Steps {
		k, err := p.backend.Kernel(s.Call)
		if err != nil {
			return fmt.Errorf("engine: %w", err)
		}
		m.kernels[i] = k
		a := &m.args[i]
		a.In, a.Version = make([]Buffer, len(s.Inputs)), make([]uint64, len(s.Inputs))
		a.Work = m.arena.slice(s.Work.At, s.Work.Len)
		for j, id := range s.Inputs {
			m.slots[id] = append(m.slots[id], slot{&a.In[j], &a.Version[j]})
		}
		m.slots[s.Output] = append(m.slots[s.Output], slot{buffer: &a.Out})
	}
	return nil
}

func (m *Machine) set(id int, b Buffer, version uint64) {
	m.values[id] = b
	if m.runner != nil {
		m.runner.Bind(id, b, version)
		return
	}
	for _, s := range m.slots[id] {
		*s.buffer = b
		if s.version != nil {
			*s.version = version
		}
	}
}

// Program returns the machine's program.
func (m *Machine) Program() *Program { return m.program }

// Bind makes b the memory of an input or output of the program until the next
// Bind. The machine reads inputs and writes outputs there; b must not overlap
// another output.
func (m *Machine) Bind(n *gorgonia.Node, b Buffer) error { return m.BindVersion(n, b, 0) }

// BindVersion is Bind of an input with contents that do not change from run to run,
// such as weights in sampling: kernels may cache values computed from them
// (Args.Version). Every buffer bound to the input with the same version must have the
// same contents. Version 0 promises nothing, as Bind does.
func (m *Machine) BindVersion(n *gorgonia.Node, b Buffer, version uint64) error {
	id, ok := m.program.ids[n]
	if !ok || m.program.values[id].role == Intermediate {
		return fmt.Errorf("engine: bind %v: neither input nor output of this program", n)
	}
	v := m.program.values[id]
	if b.Len() != v.shape.TotalSize() || b.DType() != v.dtype {
		return fmt.Errorf("engine: bind %v: %d elements of %v, want shape %v of %v", n, b.Len(), b.DType(), v.shape, v.dtype)
	}
	m.set(id, b, version)
	m.bound[id] = true
	return nil
}

// Uses reports whether n is an input or output of the program.
func (m *Machine) Uses(n *gorgonia.Node) bool {
	id, ok := m.program.ids[n]
	return ok && m.program.values[id].role != Intermediate
}

// RunAll runs the program once. Inputs that were not bound take the value that
// gorgonia.Let gave their node; one without a value is an error.
func (m *Machine) RunAll() error {
	if err := m.Start(); err != nil {
		return err
	}
	return m.Wait()
}

// Start begins a run with the present contents of the inputs; Wait ends it. Between the two
// a backend with a processor of its own computes, the caller may change inputs
// that are not mirrored (Memory), and outputs are undefined. Other backends run
// within Start.
func (m *Machine) Start() error {
	if err := m.adopt(); err != nil {
		return err
	}
	if m.runner != nil {
		return m.runner.Start()
	}
	for i, k := range m.kernels {
		k.Run(&m.args[i])
	}
	return nil
}

// Prefetch brings the inputs of the next run to a device with a memory of its own
// as they are now, while the run that Start began goes on. It changes no result.
func (m *Machine) Prefetch() error {
	if p, ok := m.runner.(Prefetcher); ok {
		return p.Prefetch()
	}
	return nil
}

// Wait ends the run that Start began: the outputs are there.
func (m *Machine) Wait() error {
	if m.runner != nil {
		return m.runner.Wait()
	}
	return nil
}

// RunTimed is RunAll that reports the time of every step.
func (m *Machine) RunTimed(report func(s *Step, d time.Duration)) error {
	if err := m.adopt(); err != nil {
		return err
	}
	if m.runner != nil {
		return m.runner.RunTimed(report)
	}
	for i, k := range m.kernels {
		start := time.Now()
		k.Run(&m.args[i])
		report(&m.program.Steps[i], time.Since(start))
	}
	return nil
}

// adopt binds the Gorgonia values of inputs that were not bound, and gives
// outputs that were not bound memory of their own.
func (m *Machine) adopt() error {
	for id := range m.program.values {
		v := &m.program.values[id]
		if v.role == Intermediate || m.bound[id] {
			continue
		}
		if v.role == Output {
			m.set(id, NewBuffer(v.dtype, v.shape.TotalSize()), 0)
			m.bound[id] = true
			continue
		}
		b, err := bufferOf(v.node.Value())
		if err != nil {
			return fmt.Errorf("engine: run: input %v: %w", v.node, err)
		}
		if b.Len() != v.shape.TotalSize() || b.DType() != v.dtype {
			return fmt.Errorf("engine: run: input %v: value of %d elements of %v, want shape %v of %v",
				v.node, b.Len(), b.DType(), v.shape, v.dtype)
		}
		m.set(id, b, 0)
	}
	return nil
}

func bufferOf(v gorgonia.Value) (Buffer, error) {
	if v == nil {
		return Buffer{}, errors.New("has no value: Bind it or use gorgonia.Let")
	}
	switch data := v.Data().(type) {
	case []float32:
		return Buffer{F32: data}, nil
	case []float64:
		return Buffer{F64: data}, nil
	case []int64:
		return Buffer{I64: data}, nil
	}
	return Buffer{}, fmt.Errorf("holds a %T", v.Data())
}

// Value returns an output as a tensor that shares the machine's memory.
func (m *Machine) Value(n *gorgonia.Node) (gorgonia.Value, error) {
	id, ok := m.program.ids[n]
	if !ok || m.program.values[id].role != Output {
		return nil, fmt.Errorf("engine: value of %v: not an output of this program", n)
	}
	var backing any
	switch b := m.values[id]; b.DType() {
	case Float64:
		backing = b.F64
	case Int64:
		backing = b.I64
	default:
		backing = b.F32
	}
	return tensor.New(tensor.WithShape(m.program.values[id].shape...), tensor.WithBacking(backing)), nil
}

// Reset does nothing: a run starts from its inputs alone.
func (m *Machine) Reset() {}

// Close frees the memory that an Executor allocated for the program, which must not
// run again. On other backends it does nothing: the collector frees memory, and the
// backend owns the threads.
func (m *Machine) Close() error {
	if m.runner != nil {
		return m.runner.Close()
	}
	return nil
}
