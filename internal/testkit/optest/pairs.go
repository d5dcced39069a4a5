package optest

import (
	"testing"

	"edm/internal/engine"
	"edm/internal/op"
)

// Pair is two problems of which the second reads all that the first one reads,
// and its result.
type Pair struct {
	First, Second Problem
	At            int            // input of Second that is the result of First
	Steps         [2]engine.Step // the two as neighbours; Second's inputs have their places as numbers
}

// NormPairs returns the two halves of each group normalisation of NormCases, and
// of its gradient.
func NormPairs(t testing.TB, n, c, h, w int) []Pair {
	t.Helper()
	cases := NormCases(t, n, c, h, w)
	stats := cases[0].Problem
	var pairs []Pair
	for rest := cases[1:]; len(rest) > 0; rest = rest[3:] {
		pairs = append(pairs,
			newPair(stats, rest[0].Problem, 1, []int{0}),
			newPair(rest[1].Problem, rest[2].Problem, 5, []int{0, 1, 2, 3, 4}))
	}
	return pairs
}

// newPair returns a pair whose first problem's inputs are those of the second
// that shared names.
func newPair(first, second Problem, at int, shared []int) Pair {
	p := Pair{First: first, Second: second, At: at}
	p.Steps = [2]engine.Step{{Call: first.Call, Inputs: shared, Output: at}, {Call: second.Call, Output: len(second.In)}}
	for i := range second.In {
		p.Steps[1].Inputs = append(p.Steps[1].Inputs, i)
	}
	return p
}

// After returns the second problem with the result of the first.
func (p Pair) After(between []float32) Problem { return p.Second.with(p.At, between) }

// NoPairs returns neighbours that only look like the halves of a normalisation.
func NoPairs(t testing.TB) map[string][2]engine.Step {
	t.Helper()
	cases := NormCases(t, 1, 8, 4, 4)
	stats, apply := cases[0].Call, cases[1].Call
	sums, data := cases[2].Call, cases[3].Call
	otherSums := cases[5].Call // with SiLU
	fewer := stats
	fewer.Spec = op.GNStats{Groups: 1, Eps: 1e-3}
	return map[string][2]engine.Step{
		"statistics of another image":   {{Call: stats, Inputs: []int{9}, Output: 1}, {Call: apply, Inputs: []int{0, 1, 2, 9}, Output: 4}},
		"statistics that are not read":  {{Call: stats, Inputs: []int{0}, Output: 2}, {Call: apply, Inputs: []int{0, 1, 2, 3}, Output: 4}},
		"statistics of other groups":    {{Call: fewer, Inputs: []int{0}, Output: 1}, {Call: apply, Inputs: []int{0, 1, 2, 3}, Output: 4}},
		"sums of another gradient":      {{Call: sums, Inputs: []int{1, 0, 2, 3, 4}, Output: 5}, {Call: data, Inputs: []int{0, 1, 2, 3, 4, 5}, Output: 6}},
		"sums before another function":  {{Call: otherSums, Inputs: []int{0, 1, 2, 3, 4}, Output: 5}, {Call: data, Inputs: []int{0, 1, 2, 3, 4, 5}, Output: 6}},
		"an operation that has no pair": {{Call: apply, Inputs: []int{0, 1, 2, 3}, Output: 4}, {Call: apply, Inputs: []int{4, 1, 2, 3}, Output: 5}},
	}
}
