package sample

import (
	"math"
	"testing"
)

// TestAdaptiveSDEControl: the next step is the paper's theta E^-r of the last, with
// theta and r 0.9, between a fifth and five times.
func TestAdaptiveSDEControl(t *testing.T) {
	for _, c := range []struct{ err, want float64 }{
		{1, 0.9}, {0.5, 0.9 * math.Pow(2, 0.9)}, {3, 0.9 / math.Pow(3, 0.9)}, {1e-6, 5}, {0, 5}, {1e6, 0.2}, {math.NaN(), 0.2}, {math.Inf(1), 0.2},
	} {
		if got := (&improvedEuler{}).factor(&walk{err: c.err}); !(math.Abs(got-c.want) <= 1e-12) {
			t.Errorf("error %g: factor %g, want %g", c.err, got, c.want)
		}
	}
}

// TestAdaptiveSDEMoments compares the moments of Gaussian data's images with the
// SDE's exact ones, within five standard errors. In two dimensions the error of
// an attempt depends on its noise more than anything: drawing afresh after a
// refusal would make the variance 1.6 times what it is.
func TestAdaptiveSDEMoments(t *testing.T) {
	const dim, images, n = 2, 4000, 2 * 4000
	data := axes{mean: []float64{0.6}, variance: []float64{0.25}}
	for _, beta := range []float64{0.25, 1, 2} {
		o := options("adaptive-sde", 0)
		o.Beta, o.RTol, o.ATol = beta, 0.03, 0.03
		s := mustNew(t, data, o)
		x, r := drawCounted(t, s, seedsTo(images), dim)
		wantMean, wantVariance := exactMoments(t, s, data)
		var mean, variance float64
		for _, x := range x {
			mean += x / n
			variance += (x - wantMean) * (x - wantMean) / n
		}
		evaluations := 0.0
		for _, k := range r.ImageNFE {
			evaluations += float64(k) / images
		}
		t.Logf("beta %g: mean %.4f, want %.4f; variance/data %.4f, want %.4f; %.1f evaluations an image, at most %d",
			beta, mean, wantMean, variance/0.25, wantVariance/0.25, evaluations, r.NFE)
		if !(math.Abs(mean-wantMean) <= 5*math.Sqrt(wantVariance/n)) {
			t.Errorf("beta %g: mean %g, want %g", beta, mean, wantMean)
		}
		if !(math.Abs(variance/wantVariance-1) <= 5*math.Sqrt(2./n)) {
			t.Errorf("beta %g: variance %g, want %g", beta, variance, wantVariance)
		}
	}
}
