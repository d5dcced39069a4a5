package likelihood

import (
	"math"
	"testing"
)

// The estimate over many probes is the exact trace's result within its own
// standard error, for both kinds; signs have the smaller error, as the diagonal
// of J adds none.
func TestHutchinsonIsUnbiased(t *testing.T) {
	p := newProblem(t, 6, 3, 0.3, 3)
	reference := p.estimate(t, exact(Heun, 8))
	errs := map[string]float64{}
	for _, trace := range []string{Rademacher, Gaussian} {
		o := exact(Heun, 8)
		o.Trace, o.Probes = trace, 4000
		r := p.estimate(t, o)
		for i, want := range reference.LogDensity {
			errs[trace] = r.StdErr[i]
			if z := (r.LogDensity[i] - want) / r.StdErr[i]; !(math.Abs(z) <= 4) {
				t.Errorf("%s: ln p of image %d is %.4f, exactly %.4f: %.1f standard errors away", trace, i, r.LogDensity[i], want, z)
			}
			t.Logf("%s: ln p of image %d is %.3f +- %.3f, exactly %.3f", trace, i, r.LogDensity[i], r.StdErr[i], want)
		}
	}
	if !(errs[Rademacher] < 0.8*errs[Gaussian]) {
		t.Errorf("standard errors: signs %g, normals %g", errs[Rademacher], errs[Gaussian])
	}
}

// The standard errors are what they say: over many images with few probes each,
// the error in their units has mean 0 and variance (n-1)/(n-3), Student's.
func TestStandardErrorIsCalibrated(t *testing.T) {
	const images, n = 400, 12
	p := newProblem(t, 6, 3, 0.3, 1)
	want := p.estimate(t, exact(Heun, 4)).LogDensity[0]
	one := p.x
	p.x = nil
	for range images {
		p.x = append(p.x, one...)
	}
	o := exact(Heun, 4)
	o.Trace, o.Probes = Gaussian, n
	r := p.estimate(t, o)
	var mean, square float64
	for i, l := range r.LogDensity {
		z := (l - want) / r.StdErr[i]
		mean += z / images
		square += z * z / images
	}
	// Four standard errors, with kurtosis to spare.
	variance := float64(n-1) / (n - 3)
	if math.Abs(mean) > 4*math.Sqrt(variance/images) || math.Abs(square-variance) > 4*math.Sqrt(4.0/images) {
		t.Errorf("errors in units of the standard error have mean %.3f and mean square %.3f, want 0 and %.3f", mean, square, variance)
	}
}

func TestProbesAreUnitAndIndependent(t *testing.T) {
	b := Batch{X: make([]float64, 2*20_000), Dim: 20_000, Seeds: []uint64{1, 2}}
	for _, trace := range []string{Rademacher, Gaussian} {
		p := newProbes(Options{Trace: trace, Probes: 2}, b)
		v, _ := p.vector(0)
		w, column := p.vector(1)
		if column != 1 {
			t.Errorf("probe 1 belongs to estimate %d", column)
		}
		se := 5 / math.Sqrt(float64(len(v)))
		var mean, square, cross, images float64
		for j := range v {
			mean += v[j] / float64(len(v))
			square += v[j] * v[j] / float64(len(v))
			cross += v[j] * w[j] / float64(len(v))
			images += v[j] * v[(j+b.Dim)%len(v)] / float64(len(v))
		}
		if math.Abs(mean) > se || math.Abs(square-1) > 1.5*se || math.Abs(cross) > se || math.Abs(images) > 1.5*se {
			t.Errorf("%s: mean %g, mean square %g, correlations %g of probes and %g of images", trace, mean, square, cross, images)
		}
		if trace == Rademacher && math.Abs(square-1) > 1e-9 {
			t.Errorf("signs have the mean square %v", square)
		}
	}
}
