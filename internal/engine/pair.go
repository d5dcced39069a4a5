package engine

import "slices"

// Pairer is implemented by a Backend that can do the work of two neighbouring
// steps as one pass over memory.
type Pairer interface {
	// Pair returns a kernel without scratch memory for both steps, or nil. It is
	// called where the second step reads all inputs and the output of the first one, so
	// that these are alive during the second. The kernel
	// runs in the second's place with the second's arguments, of which it also
	// writes the input that is the first step's output.
	Pair(first, second *Step) Kernel
}

// nothing is the kernel of a step whose work is done by the next one.
type nothing struct{}

func (nothing) Workspace() int { return 0 }
func (nothing) Run(*Args)      {}

// pair replaces the kernels of neighbouring steps by kernels for both.
func (m *Machine) pair() {
	b, ok := m.program.backend.(Pairer)
	if !ok {
		return
	}
	steps := m.program.Steps
	for i := 0; i+1 < len(steps); i++ {
		if !m.program.Covers(i) {
			continue
		}
		if k := b.Pair(&steps[i], &steps[i+1]); k != nil {
			m.kernels[i], m.kernels[i+1] = nothing{}, k
			i++
		}
	}
}

// Covers reports whether the step behind step i reads all inputs and the output of step
// i, so that these are alive during that step.
func (p *Program) Covers(i int) bool {
	first, second := &p.Steps[i], &p.Steps[i+1]
	return slices.Contains(second.Inputs, first.Output) && subset(first.Inputs, second.Inputs)
}

// subset reports whether every element of a is in b.
func subset(a, b []int) bool {
	for _, v := range a {
		if !slices.Contains(b, v) {
			return false
		}
	}
	return true
}
