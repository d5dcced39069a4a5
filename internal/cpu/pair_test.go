package cpu

import (
	"fmt"
	"slices"
	"testing"

	"edm/internal/engine"
	"edm/internal/op"
	"edm/internal/testkit/optest"
)

// TestPairs holds the kernels for two steps to the bits of the two kernels, also
// where the result overwrites an input.
func TestPairs(t *testing.T) {
	eachBackend(t, func(t *testing.T, b *Backend) {
		for _, s := range [][4]int{{1, 4, 1, 1}, {3, 8, 5, 7}, {2, 20, 7, 9}, {2, 64, 16, 16}, {1, 8, 65, 64}} {
			for _, p := range optest.NormPairs(t, s[0], s[1], s[2], s[3]) {
				checkPair(t, b, p)
			}
		}
	})
}

// checkPair runs both problems by one kernel: into memory of its own and over each
// of the inputs that the second may overwrite.
func checkPair(t *testing.T, b *Backend, p optest.Pair) {
	t.Helper()
	kernel := b.Pair(&p.Steps[0], &p.Steps[1])
	if kernel == nil {
		t.Fatalf("no kernel for %v and %v", p.First.Spec, p.Second.Spec)
	}
	between := p.First.Run(t, b)
	second := p.After(between)
	want := second.Run(t, b)
	for _, over := range append(second.Spec.(op.InPlacer).InPlace(), -1) {
		_, a := second.Prepare(t, b)
		a.In = slices.Clone(a.In)
		a.In[p.At] = engine.NewBuffer(engine.Float32, len(between))
		if over >= 0 {
			a.Out.F32 = slices.Clone(a.In[over].F32)
			a.In[over] = a.Out
		}
		kernel.Run(a)
		what := fmt.Sprintf("%v over input %d", second.Spec, over)
		optest.SameBits(t, what, a.Out.F32, want)
		optest.SameBits(t, what+", between", a.In[p.At].F32, between)
	}
}

// TestPairsAreTwoOfOneLayer refuses steps that only look like a pair.
func TestPairsAreTwoOfOneLayer(t *testing.T) {
	eachBackend(t, func(t *testing.T, b *Backend) {
		for name, steps := range optest.NoPairs(t) {
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
