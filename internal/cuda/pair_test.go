//go:build gpu

package cuda

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"edm/internal/engine"
	"edm/internal/op"
	"edm/internal/testkit/optest"
)

// TestPairs holds one pass to the bits of two, in both of its results: where they
// are aligned and where not, and over the inputs that the second step may
// overwrite. Groups are of one, two and three chunks; threads have one map or two.
func TestPairs(t *testing.T) {
	b := newTable(t)
	met := map[string]bool{}
	for _, s := range [][4]int{{1, 4, 1, 1}, {3, 8, 5, 7}, {2, 20, 7, 9}, {3, 12, 8, 10}, {2, 4, 33, 65}, {2, 8, 48, 64}, {2, 4, 80, 64}} {
		for _, p := range optest.NormPairs(t, s[0], s[1], s[2], s[3]) {
			k := pair(&p.Steps[0], &p.Steps[1])
			if k == nil {
				continue
			}
			between := b.run(t, p.First, manner{over: -1})
			second := p.After(between)
			want := b.run(t, second, manner{over: -1})
			for _, how := range []manner{{over: -1}, {over: -1, shift: 1}, {over: 0}, {over: second.Spec.(op.InPlacer).InPlace()[0]}} {
				o := b.placed(t, k, second, how.shift)
				o.in[p.At] = b.unwritten(t, len(between), how.shift)
				if how.over >= 0 {
					o.out = o.in[how.over]
				}
				launches := k.launches(o)
				b.start(t, launches)
				what := fmt.Sprintf("%v of %v, %+v", second.Spec, second.Out, how)
				optest.SameBits(t, what, b.read(t, o.out, len(want)), want)
				optest.SameBits(t, what+", between", b.read(t, o.in[p.At], len(between)), between)
				met[launches[0].name] = true
			}
		}
	}
	for name := range heads(t, "norm") {
		if strings.HasPrefix(name, "gn_whole") && !met[name] {
			t.Errorf("%s did not run", name)
		}
	}
}

// TestPairsThatAreNone: steps that are no halves of a normalisation, maps that are
// no whole quads, and groups that no block holds.
func TestPairsThatAreNone(t *testing.T) {
	for name, steps := range optest.NoPairs(t) {
		if pair(&steps[0], &steps[1]) != nil {
			t.Errorf("%s: %v and %v were paired", name, steps[0].Spec, steps[1].Spec)
		}
	}
	for _, c := range []struct {
		size           [4]int
		norm, gradient bool
	}{
		{[4]int{1, 4, 3, 5}, false, true}, {[4]int{1, 4, 4, 4}, true, true}, {[4]int{1, 4, 64, 64}, true, true},
		{[4]int{1, 4, 96, 64}, true, false}, {[4]int{1, 4, 97, 64}, false, false},
	} {
		for i, p := range optest.NormPairs(t, c.size[0], c.size[1], c.size[2], c.size[3])[:2] {
			if got, want := pair(&p.Steps[0], &p.Steps[1]) != nil, []bool{c.norm, c.gradient}[i]; got != want {
				t.Errorf("%v: %v paired: %v, want %v", c.size, p.Second.Spec, got, want)
			}
		}
	}
}

// launchNames returns the kernels that a program launches.
func launchNames(t *testing.T, b *Backend, outputs ...*gorgonia.Node) []string {
	t.Helper()
	p, err := engine.Compile(b, outputs...)
	must(t, err)
	r, err := b.NewRunner(p)
	must(t, err)
	var names []string
	for l := range r.(*runner).sequence() {
		names = append(names, l.name)
	}
	must(t, r.Close())
	return names
}

// TestNeighbours: steps of a program are paired where one follows the other.
func TestNeighbours(t *testing.T) {
	b := backend(t, fp32)
	g := gorgonia.NewGraph()
	input := func(name string, shape ...int) *gorgonia.Node {
		return gorgonia.NewTensor(g, tensor.Float32, len(shape), gorgonia.WithShape(shape...), gorgonia.WithName(name))
	}
	x, gamma, beta := input("x", 2, 8, 4, 4), input("gamma", 8), input("beta", 8)
	build := op.Builder{}
	y := build.GroupNorm(x, gamma, beta, 2, 1e-5, true)
	apart := build.Apply(op.GNStats{Groups: 4, Eps: 1e-5}, x)
	between := build.SiLU(x)
	late := build.Apply(op.GNApply{Groups: 4}, x, apart, gamma, beta)
	if build.Err != nil {
		t.Fatal(build.Err)
	}
	if got, want := launchNames(t, b, y), []string{"gn_whole_silu1"}; !slices.Equal(got, want) {
		t.Errorf("a normalisation launches %v, want %v", got, want)
	}
	if got, want := launchNames(t, b, between, late), []string{"gn_stats", "silu", "gn_apply"}; !slices.Equal(got, want) {
		t.Errorf("a normalisation whose halves are apart launches %v, want %v", got, want)
	}
	grads, err := gorgonia.Backpropagate(gorgonia.Nodes{y}, gorgonia.Nodes{input("g", 2, 8, 4, 4)}, gorgonia.Nodes{x, gamma, beta})
	must(t, err)
	got := launchNames(t, b, append(grads, y)...)
	for _, want := range []string{"gn_whole_silu1", "gn_whole_data_silu1"} {
		if !slices.Contains(got, want) {
			t.Errorf("a normalisation and its gradient launch %v, want %s", got, want)
		}
	}
}
