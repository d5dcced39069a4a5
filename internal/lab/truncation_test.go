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
	o := sample.DefaultOptions()
	all, err := Truncations(context.Background(), problem(t), o, []int{33, 65}, []float64{7})
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

func TestTruncationPlot(t *testing.T) {
	ctx, o := context.Background(), sample.DefaultOptions()
	bySteps, err := Truncations(ctx, problem(t), o, []int{8, 16}, []float64{7})
	if err != nil {
		t.Fatal(err)
	}
	byRho, err := Truncations(ctx, problem(t), o, []int{12}, []float64{3, 7})
	if err != nil {
		t.Fatal(err)
	}
	f, err := TruncationPlot(bySteps, byRho)
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
