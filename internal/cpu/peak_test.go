package cpu

import (
	"math"
	"testing"
)

// Every loop does the operations that it is taken to do: with x = y = 1 a chain
// counts its turns.
func TestFMALoopsCount(t *testing.T) {
	for _, k := range implementations() {
		loop := fmaLoopOf(k.name)
		for _, turns := range []int{1, 2, 3, 1000} {
			if got, want := loop.run(turns, 1, 1), float32(loop.chains*turns); got != want {
				t.Errorf("%s: %d turns give %g, want %g", k.name, turns, got, want)
			}
		}
		// a = a/2 + 3 from 0: 3, 4.5, 5.25.
		if got, want := loop.run(3, 0.5, 3), 5.25*float32(loop.chains); got != want {
			t.Errorf("%s: a/2 + 3 three times gives %g, want %g", k.name, got, want)
		}
		if want := map[bool]int{true: 1, false: k.lanes}[k.name == "portable"]; loop.lanes != want {
			t.Errorf("%s: %d lanes, want %d", k.name, loop.lanes, want)
		}
	}
}

func TestPeakFMA(t *testing.T) {
	for _, threads := range []int{0, 1, 3} {
		// From the slowest processor under an emulator to beyond any there is.
		if got := PeakFMA(threads); !(got > 1e5 && got < 1e16) || math.IsInf(got, 0) {
			t.Errorf("%d threads: %g operations a second", threads, got)
		}
	}
}
