package sample

import (
	"math"
	"slices"
	"testing"
)

// tolerant returns an adaptive solver's settings with both tolerances set.
func tolerant(solver string, tolerance float64) Settings {
	o := options(solver, 0)
	o.RTol, o.ATol, o.MaxNFE = tolerance, tolerance, 100_000
	return o
}

// seedsTo returns the seeds 0 to n-1.
func seedsTo(n int) []uint64 {
	seeds := make([]uint64, n)
	for i := range seeds {
		seeds[i] = uint64(i)
	}
	return seeds
}

// drawCounted is draw with the evaluations of each image.
func drawCounted(t *testing.T, s *Sampler, seeds []uint64, dim int) (x []float64, r Result) {
	t.Helper()
	x = make([]float64, len(seeds)*dim)
	if err := Latents(x, seeds, dim); err != nil {
		t.Fatal(err)
	}
	r, err := s.Sample(t.Context(), Batch{X: x, Dim: dim, Noise: SeedNoise(seeds, dim)})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.ImageNFE) != len(seeds) || slices.Max(r.ImageNFE) != r.NFE {
		t.Errorf("result %+v for %d images", r, len(seeds))
	}
	return x, r
}

// TestAdaptiveODEOnGaussianData holds the error to the tolerance against the exact
// solution: the deviation from the mean goes as sqrt(v + sigma^2).
func TestAdaptiveODEOnGaussianData(t *testing.T) {
	const m, v, low, high = 0.6, 0.25, 0.002, 80
	data, seeds := axes{mean: []float64{m}, variance: []float64{v}}, seedsTo(16)
	exact := make([]float64, len(seeds))
	if err := Latents(exact, seeds, 1); err != nil {
		t.Fatal(err)
	}
	for j, n := range exact {
		atLow := (high*n - m) * math.Sqrt((v+low*low)/(v+high*high))
		exact[j] = m + v/(v+low*low)*atLow
	}
	checkTolerances(t, data, 1, exact)
}

// TestAdaptiveODEOnAMixture does so against rk4's images.
func TestAdaptiveODEOnAMixture(t *testing.T) {
	for _, c := range []struct {
		dim   int
		s0    float64
		means []float64
	}{
		{2, 0.5, []float64{1, 0.2, -0.7, 0.9, 0.1, -1.1}},
		{2, 0.05, []float64{1, 0.2, -0.7, 0.9, 0.1, -1.1}}, // narrow
	} {
		den := mixture(t, c.dim, c.s0, c.means...)
		fine := options("rk4", 4096)
		checkTolerances(t, den, c.dim, draw(t, mustNew(t, den, fine), seedsTo(16), c.dim))
	}
}

func checkTolerances(t *testing.T, den Denoiser, dim int, exact []float64) {
	t.Helper()
	var lnTol, lnErr []float64
	for _, tolerance := range []float64{1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8} {
		x, r := drawCounted(t, mustNew(t, den, tolerant("adaptive-ode", tolerance)), seedsTo(len(exact)/dim), dim)
		e, sum := rms(x, exact), 0
		for _, n := range r.ImageNFE {
			sum += n
		}
		t.Logf("tolerance %.0e: RMS error %.1e in %.1f evaluations an image, at most %d", tolerance, e, float64(sum)/float64(len(r.ImageNFE)), r.NFE)
		if !(e <= 20*tolerance) {
			t.Errorf("tolerance %g: RMS error %g", tolerance, e)
		}
		lnTol, lnErr = append(lnTol, math.Log(tolerance)), append(lnErr, math.Log(e))
	}
	slope := fitSlope(lnTol, lnErr)
	t.Logf("error as tolerance^%.2f", slope)
	if !(math.Abs(slope-1) <= 0.25) {
		t.Errorf("the error goes as tolerance^%.2f, want proportional", slope)
	}
}
