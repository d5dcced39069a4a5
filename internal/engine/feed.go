package engine

import (
	"fmt"

	"gorgonia.org/gorgonia"

	"edm/internal/rng"
)

// Feed stands for the contents of a float32 input that follow from fewer bytes: a
// device with a memory of its own is sent those and makes the rest. It is Pixels
// or Normals.
type Feed interface {
	// Fill writes the contents: the definition that devices follow.
	Fill(dst []float32)
	// rows returns the number of indices, 0 for Pixels; an error unless the contents
	// are n elements.
	rows(n int) (int, error)
}

// Pixels are 8-bit values, one an element: 0 stands for -1 and 255 for 1.
type Pixels []uint8

// Fill implements Feed.
func (p Pixels) Fill(dst []float32) {
	for i, v := range p {
		dst[i] = float32(v)/127.5 - 1
	}
}

func (p Pixels) rows(n int) (int, error) {
	if len(p) != n {
		return 0, fmt.Errorf("%d pixels, want %d", len(p), n)
	}
	return 0, nil
}

// Normals are standard normal draws (rng.FillNormal), equally many for each index.
type Normals struct {
	Seed   uint64
	Stream rng.Stream
	Index  []int64
}

// Draws are sent as int64: seed and stream, and then the indices.
const drawBytes, drawHead = 8, 2

// Words returns the words that are sent for the draws, in the memory of to as far as
// that suffices.
func (d Normals) Words(to []int64) []int64 {
	return append(append(to[:0], int64(d.Seed), int64(d.Stream)), d.Index...)
}

// Fill implements Feed. The draws of a device are equal to rounding, since its
// logarithm, sine and cosine are its own.
func (d Normals) Fill(dst []float32) {
	size := len(dst) / len(d.Index)
	for i, index := range d.Index {
		rng.FillNormal(dst[i*size:(i+1)*size], d.Seed, d.Stream, uint64(index))
	}
}

func (d Normals) rows(n int) (int, error) {
	if len(d.Index) == 0 || n%len(d.Index) != 0 {
		return 0, fmt.Errorf("draws for %d indices do not divide among %d elements", len(d.Index), n)
	}
	return len(d.Index), nil
}

// Feeder is implemented by a Runner that computes inputs on the device from their
// feeds. For other runners the machine fills in the output of Fill.
type Feeder interface {
	// Feed makes f the contents of the input with the given number until the next
	// Feed or Bind. Prefetch and Start read the memory that f refers to. All feeds of an
	// input are of one kind and one number of indices.
	Feed(id int, f Feed)
}

// fed is an input that was fed.
type fed struct {
	rows int
	host []float32 // its contents, where the backend does not make them
}

// Feed makes f the contents of an input until the next Feed or Bind. Prefetch and Start
// read the memory that f refers to, if it was not read before. An input that was fed Pixels
// takes nothing else from then on, and one that was fed Normals only as many
// indices.
func (m *Machine) Feed(n *gorgonia.Node, f Feed) error {
	id, ok := m.program.ids[n]
	if !ok || m.program.values[id].role != Input || m.program.values[id].dtype != Float32 {
		return fmt.Errorf("engine: feed %v: not a float32 input of this program", n)
	}
	size := m.program.values[id].shape.TotalSize()
	rows, err := f.rows(size)
	if err != nil {
		return fmt.Errorf("engine: feed %v: %w", n, err)
	}
	before, again := m.fed[id]
	if again && before.rows != rows {
		return fmt.Errorf("engine: feed %v: %T for %d indices, and for %d before (0: pixels)", n, f, rows, before.rows)
	}
	m.bound[id] = true
	if r, ok := m.runner.(Feeder); ok {
		m.fed[id] = fed{rows: rows}
		r.Feed(id, f)
		return nil
	}
	if !again {
		before = fed{rows, make([]float32, size)}
		m.fed[id] = before
	}
	f.Fill(before.host)
	m.set(id, Buffer{F32: before.host}, 0)
	return nil
}
