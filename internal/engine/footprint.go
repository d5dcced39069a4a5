package engine

import "gorgonia.org/gorgonia"

// Footprint is the memory of a program on its device, in bytes.
type Footprint struct {
	Arena     int64 // intermediates and scratch
	Staging   int64 // of a device's own memory: inputs and outputs that are not mirrored
	Allowance int64 // for memory that the device allocates and does not announce, such as the code of kernels
}

// Total returns the sum.
func (f Footprint) Total() int64 { return f.Arena + f.Staging + f.Allowance }

// Planner is implemented by an Executor that takes more of its memory for a
// program than the arena.
type Planner interface {
	// Beside returns the memory of a program without its arena: Staging and Allowance.
	Beside(p *Program, s Staged) (Footprint, error)
}

// Staged are the bytes of a device's copies of a program's inputs and outputs.
type Staged struct {
	Inputs  []int // of each that is sent, or of its Feed
	Made    []int // of each input that the device makes of its Feed
	Outputs []int
}

// Given lists the bindings of a program's inputs and outputs. All others are
// given as they are, and nodes that are neither are passed over.
type Given struct {
	Mirrored gorgonia.Nodes // parts of flat buffers that are mirrored (Memory)
	Pixels   gorgonia.Nodes // inputs that are fed Pixels
	Normals  gorgonia.Nodes // inputs that are fed Normals, an index for each of the first dimension
}

// Footprint returns the program's memory before anything is allocated.
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

// staged returns the bytes of the inputs and outputs that are staged.
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
