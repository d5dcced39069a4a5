package sample

import (
	"math"
	"testing"
)

// orders is the order of accuracy of every solver without churn.
func orders() map[string]float64 { return map[string]float64{"euler": 1, "heun": 2} }

// TestSolverOrder measures the order of every solver on a mixture of Gaussians
// with a closed-form denoiser: the slope of ln(error) over ln(1/N), against a
// run of many Heun steps from the same latents.
func TestSolverOrder(t *testing.T) {
	den := mixture(t, 2, 0.5, 1, 0.2, -0.7, 0.9, 0.1, -1.1)
	seeds := make([]uint64, 64)
	for i := range seeds {
		seeds[i] = uint64(i)
	}
	exact := draw(t, mustNew(t, den, options("heun", 8192)), seeds, 2)
	want := orders()
	for _, name := range Solvers() {
		t.Run(name, func(t *testing.T) {
			order, ok := want[name]
			if !ok {
				t.Fatal("its order is not stated")
			}
			var lnH, lnErr []float64
			for n := 64; n <= 1024; n *= 2 {
				e := rms(draw(t, mustNew(t, den, options(name, n)), seeds, 2), exact)
				lnH, lnErr = append(lnH, -math.Log(float64(n))), append(lnErr, math.Log(e))
				t.Logf("N = %4d: RMS error %.3e", n, e)
			}
			got := fitSlope(lnH, lnErr)
			t.Logf("measured order %.3f", got)
			if !(math.Abs(got-order) <= 0.05) {
				t.Errorf("measured order %.3f, want %g", got, order)
			}
		})
	}
}

func rms(a, b []float64) float64 {
	sum := 0.0
	for j := range a {
		sum += (a[j] - b[j]) * (a[j] - b[j])
	}
	return math.Sqrt(sum / float64(len(a)))
}

// fitSlope returns the slope of the least-squares line of y over x.
func fitSlope(x, y []float64) float64 {
	var mx, my, sxy, sxx float64
	for i := range x {
		mx += x[i] / float64(len(x))
		my += y[i] / float64(len(x))
	}
	for i := range x {
		sxy += (x[i] - mx) * (y[i] - my)
		sxx += (x[i] - mx) * (x[i] - mx)
	}
	return sxy / sxx
}
