package cpu

import (
	"fmt"
	"slices"
	"testing"

	"edm/internal/engine"
	"edm/internal/op"
	"edm/internal/optest"
)

// TestPairs holds the kernels for two steps to the bits of the two kernels, also
// where the result overwrites an input.
func TestPairs(t *testing.T) {
	eachBackend(t, func(t *testing.T, b *Backend) {
		for _, s := range [][4]int{{1, 4, 1, 1}, {3, 8, 5, 7}, {2, 20, 7, 9}, {2, 64, 16, 16}, {1, 8, 65, 64}} {
			cases := optest.NormCases(t, s[0], s[1], s[2], s[3])
			stats := cases[0].Problem
			for rest := cases[1:]; len(rest) > 0; rest = rest[3:] {
				checkPair(t, b, stats, rest[0].Problem, 1, []int{0}, []int{0, 2, 3, 4})
				checkPair(t, b, rest[1].Problem, rest[2].Problem, 5, []int{0, 1}, []int{0, 1, 2, 3, 4})
			}
		}
	})
}

// checkPair runs first and second, whose input at is first's output, by one
// kernel: into memory of its own and over each of the inputs of inPlace. shared
// are second's inputs in the order of first's.
func checkPair(t *testing.T, b *Backend, first, second optest.Problem, at int, inPlace, shared []int) {
	t.Helper()
	steps := [2]engine.Step{{Call: first.Call, Output: at}, {Call: second.Call, Output: len(second.In)}}
	for i := range second.In {
		steps[1].Inputs = append(steps[1].Inputs, i)
	}
	steps[0].Inputs = shared[:len(first.In)]
	kernel := b.Pair(&steps[0], &steps[1])
	if kernel == nil {
		t.Fatalf("no kernel for %v and %v", first.Spec, second.Spec)
	}
	between := first.Run(t, b)
	second.Inputs = slices.Clone(second.Inputs)
	second.Inputs[at].F32 = between
	want := second.Run(t, b)
	for _, over := range append(inPlace, -1) {
		_, a := second.Prepare(t, b)
		a.In = slices.Clone(a.In)
		a.In[at] = engine.NewBuffer(engine.Float32, len(between))
		if over >= 0 {
			a.Out.F32 = slices.Clone(a.In[over].F32)
			a.In[over] = a.Out
		}
		kernel.Run(a)
		what := fmt.Sprintf("%v over input %d", second.Spec, over)
		optest.SameBits(t, what, a.Out.F32, want)
		optest.SameBits(t, what+", between", a.In[at].F32, between)
	}
}

// TestPairsAreTwoOfOneLayer refuses steps that only look like a pair.
func TestPairsAreTwoOfOneLayer(t *testing.T) {
	eachBackend(t, func(t *testing.T, b *Backend) {
		cases := optest.NormCases(t, 1, 8, 4, 4)
		stats, apply := cases[0].Call, cases[1].Call
		sums, data := cases[2].Call, cases[3].Call
		otherSums := cases[5].Call // with SiLU
		fewer := stats
		fewer.Spec = op.GNStats{Groups: 1, Eps: 1e-3}
		for name, steps := range map[string][2]engine.Step{
			"statistics of another image":   {{Call: stats, Inputs: []int{9}, Output: 1}, {Call: apply, Inputs: []int{0, 1, 2, 9}, Output: 4}},
			"statistics that are not read":  {{Call: stats, Inputs: []int{0}, Output: 2}, {Call: apply, Inputs: []int{0, 1, 2, 3}, Output: 4}},
			"statistics of other groups":    {{Call: fewer, Inputs: []int{0}, Output: 1}, {Call: apply, Inputs: []int{0, 1, 2, 3}, Output: 4}},
			"sums of another gradient":      {{Call: sums, Inputs: []int{1, 0, 2, 3, 4}, Output: 5}, {Call: data, Inputs: []int{0, 1, 2, 3, 4, 5}, Output: 6}},
			"sums before another function":  {{Call: otherSums, Inputs: []int{0, 1, 2, 3, 4}, Output: 5}, {Call: data, Inputs: []int{0, 1, 2, 3, 4, 5}, Output: 6}},
			"an operation that has no pair": {{Call: apply, Inputs: []int{0, 1, 2, 3}, Output: 4}, {Call: apply, Inputs: []int{4, 1, 2, 3}, Output: 5}},
		} {
			if k := b.Pair(&steps[0], &steps[1]); k != nil {
				t.Errorf("%s: %v and %v were paired", name, steps[0].Spec, steps[1].Spec)
			}
		}
	})
}

// BenchmarkPairs measures the two steps by two kernels and by one, on one thread.
func BenchmarkPairs(b *testing.B) {
	for _, k := range implementations() {
		backend := newBackend(k, 1)
		defer backend.Close()
		cases := optest.NormCases(b, 16, 64, 32, 32)
		for _, p := range []struct {
			name          string
			first, second optest.Problem
			at            int
			build         func() engine.Kernel
		}{
			{"forward", cases[0].Problem, cases[4].Problem, 1, func() engine.Kernel {
				return newGNStatsApply(backend, cases[0].Spec.(op.GNStats), cases[4].Spec.(op.GNApply), cases[4].Call)
			}},
			{"gradient", cases[5].Problem, cases[6].Problem, 5, func() engine.Kernel {
				return newGNSumsData(backend, cases[6].Spec.(op.GNData), cases[6].Call)
			}},
		} {
			first, firstArgs := p.first.Prepare(b, backend)
			second, args := p.second.Prepare(b, backend)
			one := p.build()
			for name, run := range map[string]func(){
				"two": func() { first.Run(firstArgs); second.Run(args) },
				"one": func() { one.Run(args) },
			} {
				b.Run(fmt.Sprintf("%s/%s/%s", p.name, k.name, name), func(b *testing.B) {
					for b.Loop() {
						run()
					}
					b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/float64(len(args.Out.F32))*1e9, "ns/element")
				})
			}
		}
	}
}
