package sample

import (
	"context"
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

// churnMoments follows the mean and the variance of one number through EDM Alg. 2
// exactly: with Gaussian data every step is linear. slope(t) is dx/dt over the
// deviation from the data's mean, t / (variance + t^2).
func churnMoments(o Settings, sigmas []float64, mean, variance float64) (m, v float64) {
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
	return mean + m, v
}

// TestChurnMoments: mean and variance of Gaussian data sampled with churn are
// what Alg. 2 gives on paper.
func TestChurnMoments(t *testing.T) {
	g := axes{mean: []float64{0.6, -0.3}, variance: []float64{0.49, 0.04}}
	for _, c := range []struct {
		solver             string
		sMin, sMax, sNoise float64
	}{{"heun", 0, math.Inf(1), 1}, {"heun", 0.05, 5, 1.1}, {"euler", 0, math.Inf(1), 1}} {
		o := options(c.solver, 64)
		o.SChurn, o.SMin, o.SMax, o.SNoise = 30, c.sMin, c.sMax, c.sNoise
		s := mustNew(t, g, o)
		mean, variance := impulseMoments(t, s, g)
		for k := range mean {
			m, v := churnMoments(o, s.Sigmas(), g.mean[k], g.variance[k])
			if !(math.Abs(mean[k]-m) <= 1e-12) || !(math.Abs(variance[k]-v) <= 1e-12*v) {
				t.Errorf("%+v: mean %.15g and variance %.15g, want %.15g and %.15g", c, mean[k], variance[k], m, v)
			}
		}
	}
}

// TestMonteCarloMoments holds the mean and the covariance of many images of
// correlated Gaussian data to the exact ones of each stochastic solver, within
// five standard errors: its draws are independent and of unit variance.
func TestMonteCarloMoments(t *testing.T) {
	g := gaussian{mean: [2]float64{0.6, -0.3}, variance: [2]float64{0.49, 0.04}, cos: 0.8, sin: 0.6}
	den := anyRange()
	den.denoise = g.denoise
	seeds := make([]uint64, 10000)
	for i := range seeds {
		seeds[i] = uint64(i)
	}
	for _, c := range sdeCases() {
		t.Run(c.solver, func(t *testing.T) {
			o := churned(options(c.solver, 24))
			o.SNoise = 1.003
			// Minus the data's mean is where the latents' is, along the axes.
			origin := g.axes(0, 0)
			alone := axes{mean: []float64{-origin[0], -origin[1]}, variance: g.variance[:]}
			mean, variance := impulseMoments(t, mustNew(t, alone, o), alone)
			for k := range mean {
				mean[k] += origin[k]
			}
			checkMoments(t, g, draw(t, mustNew(t, den, o), seeds, 2), mean, variance)
		})
	}
}

// checkMoments compares the images' deviations from g's mean, along its axes,
// with the wanted mean and variance.
func checkMoments(t *testing.T, g gaussian, x, wantM, wantV []float64) {
	t.Helper()
	n := float64(len(x) / 2)
	var gotM, gotV [2]float64
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
		errM, errV := math.Sqrt(wantV[k]/n), wantV[k]*math.Sqrt(2/n)
		t.Logf("axis %d: mean %+.1f and variance %+.1f standard errors off", k, (gotM[k]-wantM[k])/errM, (gotV[k]-wantV[k])/errV)
		if !(math.Abs(gotM[k]-wantM[k]) <= 5*errM) {
			t.Errorf("axis %d: mean %g off the data's, want %g", k, gotM[k], wantM[k])
		}
		if !(math.Abs(gotV[k]-wantV[k]) <= 5*errV) {
			t.Errorf("axis %d: variance %g, want %g", k, gotV[k], wantV[k])
		}
	}
	if !(math.Abs(cov) <= 5*math.Sqrt(wantV[0]*wantV[1]/n)) {
		t.Errorf("covariance of the axes %g, want 0", cov)
	}
}
