package lab

import (
	"context"
	"math"
	"strings"
	"testing"

	"edm/sample"
)

// Twice the steps divide the local error of Euler's method by about four and
// Heun's by about eight: one order above that of the whole run.
func TestTruncationOrders(t *testing.T) {
	o := sample.DefaultSettings()
	all, err := Truncations(context.Background(), problem(t), o, []Grid{{33, 7}, {65, 7}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 4 {
		t.Fatalf("%d lines, want 4", len(all))
	}
	for i, want := range []float64{2, 3} {
		coarse, fine := all[i], all[i+2]
		if len(coarse.Sigma) != 32 || len(fine.Sigma) != 64 || coarse.Solver != fine.Solver {
			t.Fatalf("%d and %d points of %s and %s", len(coarse.Sigma), len(fine.Sigma), coarse.Solver, fine.Solver)
		}
		sum, n := 0.0, 0
		for k := 8; k < 24; k++ { // where the solution bends; elsewhere differences drown
			if math.Abs(coarse.Sigma[k]/fine.Sigma[2*k]-1) > 1e-12 {
				t.Fatalf("step %d starts at %g and %g", k, coarse.Sigma[k], fine.Sigma[2*k])
			}
			sum += math.Log2(coarse.RMS[k] / fine.RMS[2*k])
			n++
		}
		if got := sum / float64(n); math.Abs(got-want) > 0.3 {
			t.Errorf("%s: local order %.2f, want %v", coarse.Solver, got, want)
		}
	}
}

// The solution that steps are compared with is shared by all grids and exact
// enough for each: sixteen times finer, it gives the same errors, also for a grid
// alone and at the finest that the figure has.
func TestTruncationsAreExact(t *testing.T) {
	ctx, o, p := context.Background(), sample.DefaultSettings(), problem(t)
	grids := []Grid{{8, 7}, {32, 7}, {18, 3}, {18, 10}}
	together, err := Truncations(ctx, p, o, grids, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, g := range grids {
		alone, err := Truncations(ctx, p, o, []Grid{g}, nil)
		if err != nil {
			t.Fatal(err)
		}
		want, err := p.truncations(ctx, o, []Grid{g}, 16*fineSteps, nil)
		if err != nil {
			t.Fatal(err)
		}
		for k := range want {
			checkTruncation(t, together[2*i+k], want[k])
			checkTruncation(t, alone[k], want[k])
		}
	}
}

func checkTruncation(t *testing.T, got, want Truncation) {
	t.Helper()
	if got.Grid != want.Grid || got.Solver != want.Solver || len(got.RMS) != want.Steps-1 {
		t.Fatalf("%d errors of %s on %v, want those of %s on %v", len(got.RMS), got.Solver, got.Grid, want.Solver, want.Grid)
	}
	for j, exact := range want.RMS {
		if math.Abs(got.RMS[j]-exact) > 0.02*exact+1e-9 {
			t.Errorf("%s on %v at sigma %g: error %.5g, with a finer solution %.5g", want.Solver, want.Grid, want.Sigma[j], got.RMS[j], exact)
		}
	}
}

// The whole figure takes less than half the evaluations of a comparison's
// reference.
func TestTruncationsAreCheap(t *testing.T) {
	p := problem(t)
	counted := &counting{Denoiser: p.Denoiser}
	p.Denoiser = counted
	grids := []Grid{{8, 7}, {16, 7}, {32, 7}, {18, 3}, {18, 5}, {18, 7}, {18, 10}}
	if _, err := Truncations(context.Background(), p, sample.DefaultSettings(), grids, nil); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d evaluations", counted.calls)
	if counted.calls > 1000 {
		t.Errorf("%d evaluations, want fewer than half a reference's 2000", counted.calls)
	}
}

// counting counts the calls of a denoiser.
type counting struct {
	sample.Denoiser
	calls int
}

func (c *counting) Denoise(ctx context.Context, dst, x []float64, sigma float64, labels []float32) error {
	c.calls++
	return c.Denoiser.Denoise(ctx, dst, x, sigma, labels)
}

func TestTruncationPlot(t *testing.T) {
	ctx, o := context.Background(), sample.DefaultSettings()
	var last, total int
	work := func(_ string, done, of int) { last, total = done, of }
	all, err := Truncations(ctx, problem(t), o, []Grid{{8, 7}, {16, 7}, {12, 3}, {12, 7}}, work)
	if err != nil {
		t.Fatal(err)
	}
	if last != total || total < 40 {
		t.Errorf("told of %d of %d levels at the end", last, total)
	}
	byRho := all[4:]
	f, err := TruncationPlot(all[:4], byRho)
	if err != nil {
		t.Fatal(err)
	}
	svg := checkFigure(t, "truncation", f)
	for _, want := range []string{">16 steps<", ">rho 3<", ">Heun, by rho<"} {
		if !strings.Contains(svg, want) {
			t.Errorf("the figure lacks %s", want)
		}
	}
	if _, err := TruncationPlot(nil, byRho); err == nil {
		t.Error("a figure of nothing has no error")
	}
}
