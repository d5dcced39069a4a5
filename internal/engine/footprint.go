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
	// Beside returns what a program takes beside its arena: Staging and Allowance.
	Beside(p *Program, s Staged) (Footprint, error)
}

// Staged are the bytes of what a device holds of a program's inputs and outputs.
type Staged struct {
	Inputs  []int // of each that is sent, or of what is sent for it
	Made    []int // of each input that is made of what is sent
	Outputs []int
}

// Given says what inputs and outputs of a program are bound to. All others are
// given as they are, and nodes that are neither are passed over.
type Given struct {
	Mirrored gorgonia.Nodes // parts of flat buffers that are mirrored (Memory)
	Pixels   gorgonia.Nodes // inputs that are fed Pixels
	Normals  gorgonia.Nodes // inputs that are fed Normals, an index for each of the first dimension
}

// Footprint returns what the program will take, before anything is allocated.
func (p *Program) Footprint(g Given) (Footprint, error) {
	var f Footprint
	if b, ok := p.backend.(Planner); ok {
		var err error
		if f, err = b.Beside(p, p.staged(g)); err != nil {
			return f, err
		}
	}
	f.Arena = p.ArenaBytes()
	return f, nil
}

// staged returns what is staged of the inputs and outputs.
func (p *Program) staged(g Given) Staged {
	mirrored, pixels, normals := p.among(g.Mirrored), p.among(g.Pixels), p.among(g.Normals)
	var s Staged
	for id, v := range p.values {
		bytes := v.shape.TotalSize() * v.dtype.Size()
		switch {
		case mirrored[id]:
		case v.role == Output:
			s.Outputs = append(s.Outputs, bytes)
		case v.role != Input:
		case pixels[id]:
			s.Inputs, s.Made = append(s.Inputs, v.shape.TotalSize()), append(s.Made, bytes)
		case normals[id]:
			s.Inputs, s.Made = append(s.Inputs, drawBytes*(drawHead+v.shape[0])), append(s.Made, bytes)
		default:
			s.Inputs = append(s.Inputs, bytes)
		}
	}
	return s
}

// among returns which values are those of nodes.
func (p *Program) among(nodes gorgonia.Nodes) map[int]bool {
	set := map[int]bool{}
	for _, n := range nodes {
		if id, ok := p.ids[n]; ok {
			set[id] = true
		}
	}
	return set
}
