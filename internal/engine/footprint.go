package engine

import "gorgonia.org/gorgonia"

// Footprint is what a program takes of the memory that it runs in, in bytes.
type Footprint struct {
	Arena     int64 // intermediates and scratch
	Staging   int64 // of a device's own memory: inputs and outputs that are not mirrored
	Allowance int64 // for what the device takes beside them and does not say before, such as the code of kernels
}

// Total returns the sum.
func (f Footprint) Total() int64 { return f.Arena + f.Staging + f.Allowance }

// Planner is implemented by an Executor that takes more of its memory for a
// program than the arena.
type Planner interface {
	// Beside returns what a program takes beside its arena: Staging for inputs and
	// outputs of so many bytes each, and Allowance.
	Beside(p *Program, inputs, outputs []int) (Footprint, error)
}

// Footprint returns what the program will take, before anything is allocated, if
// those of its inputs and outputs are mirrored (Memory). Nodes that are neither
// are passed over.
func (p *Program) Footprint(mirrored ...*gorgonia.Node) (Footprint, error) {
	var f Footprint
	if b, ok := p.backend.(Planner); ok {
		inputs, outputs := p.staged(mirrored)
		var err error
		if f, err = b.Beside(p, inputs, outputs); err != nil {
			return f, err
		}
	}
	f.Arena = p.ArenaBytes()
	return f, nil
}

// staged returns the bytes of each input and output that is not mirrored.
func (p *Program) staged(mirrored []*gorgonia.Node) (inputs, outputs []int) {
	skip := make([]bool, len(p.values))
	for _, n := range mirrored {
		if id, ok := p.ids[n]; ok {
			skip[id] = true
		}
	}
	for id, v := range p.values {
		bytes := v.shape.TotalSize() * v.dtype.Size()
		switch {
		case skip[id]:
		case v.role == Input:
			inputs = append(inputs, bytes)
		case v.role == Output:
			outputs = append(outputs, bytes)
		}
	}
	return inputs, outputs
}
