package sample

import (
	"context"
	"fmt"
	"math"
	"testing"
)

// gaussian is the data distribution of the moment test: mean mean, and
// variances along two axes; the first points in the direction (cos, sin).
type gaussian struct {
	mean     [2]float64
	variance [2]float64
	cos, sin float64
}

// axes turns a point into its deviation from the mean along the two axes.
func (g gaussian) axes(x, y float64) [2]float64 {
	x, y = x-g.mean[0], y-g.mean[1]
	return [2]float64{g.cos*x + g.sin*y, g.cos*y - g.sin*x}
}

func (g gaussian) point(dev [2]float64) (x, y float64) {
	return g.mean[0] + g.cos*dev[0] - g.sin*dev[1], g.mean[1] + g.sin*dev[0] + g.cos*dev[1]
}

// denoise is the closed form for Gaussian data, one axis at a time: D = mean +
// variance / (variance + sigma^2) (x - mean).
func (g gaussian) denoise(_ context.Context, dst, x []float64, sigma float64, _ []float32) error {
	for j := 0; j < len(x); j += 2 {
		dev := g.axes(x[j], x[j+1])
		for k, v := range g.variance {
			dev[k] *= v / (v + sigma*sigma)
		}
		dst[j], dst[j+1] = g.point(dev)
	}
	return nil
}

// moments follows the deviation's mean and variance along one axis through EDM
// Alg. 2 exactly: with Gaussian data every step is linear. slope(t) is dx/dt
// over the deviation, t / (variance + t^2).
func moments(o Options, sigmas []float64, mean, variance float64) (m, v float64) {
	slope := func(t float64) float64 { return t / (variance + t*t) }
	m, v = -mean, sigmas[0]*sigmas[0]
	for i, t := range sigmas[:len(sigmas)-1] {
		next, tHat := sigmas[i+1], t
		if t >= o.SMin && t <= o.SMax {
			tHat = t * (1 + math.Min(o.SChurn/float64(o.NumSteps), math.Sqrt2-1))
			v += (tHat*tHat - t*t) * o.SNoise * o.SNoise
		}
		h := next - tHat
		factor := 1 + h*slope(tHat)
		if o.Solver == "heun" && next > 0 {
			factor = 1 + h/2*slope(tHat) + h/2*slope(next)*factor
		}
		m, v = m*factor, v*factor*factor
	}
	return m, v
}

// TestStochasticMoments samples Gaussian data with churn. The mean and the
// covariance of the samples are held to what Alg. 2 gives exactly, within five
// standard errors; and that to the data's own, within 0.5 % for Heun: what
// remains is the error of the discretisation.
func TestStochasticMoments(t *testing.T) {
	g := gaussian{mean: [2]float64{0.6, -0.3}, variance: [2]float64{0.49, 0.04}, cos: 0.8, sin: 0.6}
	den := anyRange()
	den.denoise = g.denoise
	for _, c := range []struct {
		solver     string
		sMin, sMax float64
		sNoise     float64
		bias       float64 // allowed, relative to the data's variance and deviation
	}{
		{"heun", 0, math.Inf(1), 1, 0.005},
		{"heun", 0.05, 5, 1.1, 0.3}, // S_noise above 1 inflates the variance, on purpose
		{"euler", 0, math.Inf(1), 1, 0.1},
	} {
		t.Run(fmt.Sprintf("%s-%g-%g-%g", c.solver, c.sMin, c.sMax, c.sNoise), func(t *testing.T) {
			o := options(c.solver, 256)
			o.SChurn, o.SMin, o.SMax, o.SNoise = 30, c.sMin, c.sMax, c.sNoise
			s := mustNew(t, den, o)
			seeds := make([]uint64, 10000)
			for i := range seeds {
				seeds[i] = uint64(i)
			}
			checkMoments(t, g, o, s.Sigmas(), draw(t, s, seeds, 2), c.bias)
		})
	}
}

func checkMoments(t *testing.T, g gaussian, o Options, sigmas, x []float64, bias float64) {
	t.Helper()
	n := float64(len(x) / 2)
	meanAt := g.axes(0, 0) // minus the data's mean, along the axes
	var wantM, wantV, gotM, gotV [2]float64
	for k := range 2 {
		wantM[k], wantV[k] = moments(o, sigmas, -meanAt[k], g.variance[k])
	}
	var cov float64
	for j := 0; j < len(x); j += 2 {
		dev := g.axes(x[j], x[j+1])
		for k := range 2 {
			gotM[k] += dev[k] / n
			gotV[k] += (dev[k] - wantM[k]) * (dev[k] - wantM[k]) / n
		}
		cov += (dev[0] - wantM[0]) * (dev[1] - wantM[1]) / n
	}
	for k := range 2 {
		std := math.Sqrt(g.variance[k])
		t.Logf("axis %d: mean %+.5f, exactly %+.5f; variance/data %.5f, exactly %.5f", k, gotM[k], wantM[k], gotV[k]/g.variance[k], wantV[k]/g.variance[k])
		if !(math.Abs(gotM[k]-wantM[k]) <= 5*math.Sqrt(wantV[k]/n)) {
			t.Errorf("axis %d: mean %g off the data's, want %g", k, gotM[k], wantM[k])
		}
		if !(math.Abs(gotV[k]-wantV[k]) <= 5*wantV[k]*math.Sqrt(2/n)) {
			t.Errorf("axis %d: variance %g, want %g", k, gotV[k], wantV[k])
		}
		if !(math.Abs(wantM[k]) <= bias*std) || !(math.Abs(wantV[k]/g.variance[k]-1) <= bias) {
			t.Errorf("axis %d: the solver's mean %g and variance %g, want 0 and %g within %g",
				k, wantM[k], wantV[k], g.variance[k], bias)
		}
	}
	if !(math.Abs(cov) <= 5*math.Sqrt(wantV[0]*wantV[1]/n)) {
		t.Errorf("covariance of the axes %g, want 0", cov)
	}
}
