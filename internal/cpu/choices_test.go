package cpu

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"edm/internal/testkit/optest"
)

// TestChoices: the table is ordered as row expects, and what is too small for it
// is computed directly.
func TestChoices(t *testing.T) {
	for i, c := range choices[1:] {
		if p := choices[i]; c.channels < p.channels || c.channels == p.channels && c.side <= p.side {
			t.Errorf("row %d (%d channels, side %d) comes after row %d (%d channels, side %d)", i+1, c.channels, c.side, i, p.channels, p.side)
		}
	}
	for _, s := range []convShape{
		{n: 1, depth: 3, width: 64, h: 32, w: 32, kernel: 3},
		{n: 1, depth: 64, width: 3, h: 32, w: 32, kernel: 3},
		{n: 1, depth: 64, width: 64, h: 32, w: 2, kernel: 3},
		{n: 1, depth: 64, width: 64, h: 32, w: 32, kernel: 1},
	} {
		if useWinograd(s, false) || useWinograd(s, true) || useWinogradWeights(s) {
			t.Errorf("%+v is computed by F(4x4,3x3)", s)
		}
	}
	few := convShape{n: 1, depth: 512, width: 768, h: 8, w: 8, kernel: 3}
	if useWinogradWeights(few) || !useWinograd(few, false) {
		t.Errorf("%+v: want its gradient by weights alone computed directly", few)
	}
	few.n = 2
	if !useWinogradWeights(few) {
		t.Errorf("the gradient by weights of %+v is computed directly", few)
	}
	wide := convShape{n: 1, depth: 64, width: 128, h: 32, w: 40, kernel: 3}
	if !useWinograd(wide, false) || !useWinograd(wide, true) || !useWinogradWeights(wide) {
		t.Errorf("%+v is computed directly", wide)
	}
}

// BenchmarkChoices measures the table of convchoice.go, both algorithms in
// alternation on one thread, and prints its rows.
func BenchmarkChoices(b *testing.B) {
	k := implementations()[0]
	backend := newBackend(k, 1)
	defer backend.Close()
	for b.Loop() {
		for _, channels := range []int{8, 16, 32, 64, 128, 256} {
			for _, side := range []int{4, 6, 8, 16, 32} {
				fmt.Printf("\t{%d, %d, %s},\n", channels, side, ratios(backend, channels, side))
			}
		}
	}
}

// ratios returns the three ratios of one layer.
func ratios(b *Backend, channels, side int) string {
	n := max(4, min(16, 1<<20/(channels*side*side)))
	s := convShape{n: n, depth: channels, width: channels, h: side, w: side, kernel: 3}
	x, g, w := optest.Normal(1, n*channels*side*side), optest.Normal(2, n*channels*side*side), optest.Normal(3, channels*channels*9)
	dw := make([]float32, len(w))
	fast := winogradProblems(b, x, g, w, n, channels, channels, side, side)
	direct := func(reverse bool) func() {
		c := newConv(b, s, reverse, nil)
		y, work := make([]float32, len(x)), make([]float32, c.workspace())
		return func() { c.run(y, x, w, work, 0) }
	}
	weights := newConvWeights(b, n, channels, channels, side, side, 3, 1)
	work := make([]float32, weights.workspace())
	slow := []func(){direct(false), direct(true), func() { weights.run(dw, x, g, work) }}
	text := ""
	for i, name := range []string{"forward", "data", "chosen weights"} {
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprintf("%.2f", ratio(slow[i], func() { fast[name]() }))
	}
	return text
}

// ratio returns the median over rounds of the time of a over that of b.
func ratio(a, b func()) float64 {
	clock := func(f func()) float64 {
		start := time.Now()
		f()
		return time.Since(start).Seconds()
	}
	clock(a)
	clock(b)
	var all []float64
	for range 9 {
		all = append(all, clock(a)/clock(b))
	}
	slices.Sort(all)
	return all[len(all)/2]
}
