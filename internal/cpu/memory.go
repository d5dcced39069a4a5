package cpu

import "unsafe"

// lineFloats is the number of float32 in a cache line, to which scratch memory
// is aligned.
const lineFloats = 16

// memory hands out aligned pieces of a workspace.
type memory struct{ rest []float32 }

// workspace returns the elements that carve needs to hand out the shared pieces
// once and the own pieces to each thread.
func workspace(threads int, shared, own []int) int {
	total := lineFloats
	for _, n := range shared {
		total += roundUp(n, lineFloats)
	}
	for _, n := range own {
		total += threads * roundUp(n, lineFloats)
	}
	return total
}

// carve starts at the first cache line of work, whose length workspace told.
func carve(work []float32) memory {
	at := uintptr(unsafe.Pointer(unsafe.SliceData(work))) / 4 % lineFloats
	if at != 0 {
		work = work[lineFloats-at:]
	}
	return memory{work}
}

// take returns the next n elements; the piece after it starts at a new line.
func (m *memory) take(n int) []float32 {
	piece := m.rest[:n:n]
	m.rest = m.rest[min(roundUp(n, lineFloats), len(m.rest)):]
	return piece
}
