package engine

import "math"

// Poison fills the arena with NaN: a value that is read before it is written
// then shows.
func (m *Machine) Poison() {
	for i := range m.arena.F32 {
		m.arena.F32[i] = float32(math.NaN())
	}
	for i := range m.arena.F64 {
		m.arena.F64[i] = math.NaN()
	}
}
