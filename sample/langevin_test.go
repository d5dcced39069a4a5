package sample

import (
	"math"
	"testing"
)

// TestAnnealedLangevinMoments follows NCSN Alg. 1 on Gaussian data: with the
// fraction f = StepSize / (2 sigma_min^2) a step takes a deviation from the mean to
// (1 - k) of itself, k = f sigma^2 / (v + sigma^2), and adds a variance of 2 f
// sigma^2.
func TestAnnealedLangevinMoments(t *testing.T) {
	data := axes{mean: []float64{0.6}, variance: []float64{0.25}}
	o := options("annealed-langevin", 4)
	o.Corrections = 30
	s := mustNew(t, data, o)
	f := 4 * 2e-5 / (2 * 0.02 * 0.02)
	if math.Abs(f-0.1) > 1e-15 {
		t.Errorf("the published constants take a step %g of the way, want 0.1", f)
	}
	sigmas := s.Sigmas()
	m, v := -0.6, sigmas[0]*sigmas[0]
	for _, sigma := range sigmas[:4] {
		for range 30 {
			stay := 1 - f*sigma*sigma/(0.25+sigma*sigma)
			m, v = stay*m, stay*stay*v+2*f*sigma*sigma
		}
	}
	last := 0.25 / (0.25 + sigmas[3]*sigmas[3])
	wantMean, wantVariance := 0.6+last*m, last*last*v
	mean, variance := impulseMoments(t, s, data)
	if !(math.Abs(mean[0]-wantMean) <= 1e-12) || !(math.Abs(variance[0]-wantVariance) <= 1e-12) {
		t.Errorf("mean %.15g and variance %.15g, want %.15g and %.15g", mean[0], variance[0], wantMean, wantVariance)
	}
	if got, want := s.NFE(), 4*30+1; got != want {
		t.Errorf("NFE %d, want %d", got, want)
	}
}

// TestLangevinBias: many small steps bring the noisy images to their
// distribution, up to a bias of the variance that falls with the step size.
func TestLangevinBias(t *testing.T) {
	data := axes{mean: []float64{0.6}, variance: []float64{0.25}}
	bias := func(step float64, corrections int) float64 {
		o := options("annealed-langevin", 2)
		o.SigmaMin, o.StepSize, o.Corrections = 0.5, step, corrections
		mean, variance := impulseMoments(t, mustNew(t, data, o), data)
		if !(math.Abs(mean[0]-0.6) <= 1e-3) {
			t.Errorf("mean %g, want 0.6", mean[0])
		}
		return variance[0]/(0.25*0.25/(0.25+0.5*0.5)) - 1 // of the denoised images
	}
	// f = 0.1 and k = 0.05 in the stationary variance (v + sigma^2) / (1 - k/2).
	coarse, fine := bias(0.05, 200), bias(0.025, 400)
	t.Logf("bias %.4f, with half the step %.4f", coarse, fine)
	if !(math.Abs(coarse-0.05/2) <= 1e-3) || !(math.Abs(fine-0.025/2) <= 5e-4) {
		t.Errorf("the variance is off by %.4f and %.4f of itself, want 0.025 and 0.0125", coarse, fine)
	}
}

// TestPredictorCorrectorMoments compares the images of wide Gaussian data with
// the closed form: in many dimensions the norms that set a corrector's step are
// their own expectations, up to a part in dim.
func TestPredictorCorrectorMoments(t *testing.T) {
	const dim, images, n = 1024, 32, 1024 * 32
	data := axes{mean: []float64{0.6}, variance: []float64{0.25}}
	seeds := make([]uint64, images)
	for i := range seeds {
		seeds[i] = uint64(i)
	}
	for _, c := range []struct {
		snr         float64
		corrections int
	}{{0.16, 1}, {0.16, 3}, {0.05, 1}} {
		o := options("predictor-corrector", 24)
		o.SNR, o.Corrections = c.snr, c.corrections
		s := mustNew(t, data, o)
		wantMean, wantVariance := pcMoments(s, 0.6, 0.25)
		var mean, variance float64
		for _, x := range draw(t, s, seeds, dim) {
			mean += x / n
			variance += (x - wantMean) * (x - wantMean) / n
		}
		t.Logf("SNR %g, %d corrections: mean %.4f, in theory %.4f; variance/data %.4f, in theory %.4f",
			c.snr, c.corrections, mean, wantMean, variance/0.25, wantVariance/0.25)
		if !(math.Abs(mean-wantMean) <= 5*math.Sqrt(wantVariance/n)) {
			t.Errorf("mean %g, want %g", mean, wantMean)
		}
		if !(math.Abs(variance/wantVariance-1) <= 5*math.Sqrt(2./n)+1./dim) {
			t.Errorf("variance %g, want %g", variance, wantVariance)
		}
		o.NumSteps = 1000 // as published
		mean, variance = pcMoments(mustNew(t, data, o), 0.6, 0.25)
		t.Logf("with 1000 levels, in theory: mean %.4f, variance/data %.4f", mean, variance/0.25)
		if left := c.snr * c.snr; !(math.Abs(mean-0.6) <= 1e-3) || !(math.Abs(variance/0.25-1-left) <= 0.01) {
			t.Errorf("mean %g and variance %g, want 0.6 and %g", mean, variance, 0.25*(1+left))
		}
	}
}

// pcMoments follows the mean and the variance of a number through score SDE Alg.
// 2 for data of mean m and variance v.
func pcMoments(s *Sampler, m, v float64) (mean, variance float64) {
	o, sigmas := s.solver.(PredictorCorrector), s.run.Sigmas
	mean, variance = -m, sigmas[0]*sigmas[0] // the mean's deviation
	for i, next := range sigmas[1:] {
		q := v + sigmas[i]*sigmas[i]
		drop := sigmas[i]*sigmas[i] - next*next
		mean, variance = mean*(1-drop/q), variance*(1-drop/q)*(1-drop/q)
		if next == 0 {
			break
		}
		variance += drop
		q = v + next*next
		for range o.Corrections {
			// The score is -(x - m) / q; |n|^2 / |score|^2 = q^2 / E(x - m)^2.
			epsilon := 2 * o.SNR * o.SNR * q * q / (variance + mean*mean)
			stay := 1 - epsilon/q
			mean, variance = stay*mean, stay*stay*variance+2*epsilon
		}
	}
	return m + mean, variance
}

// TestCorrectorWithoutScore: an image at a mode, whose score is 0, stays there.
func TestCorrectorWithoutScore(t *testing.T) {
	x := []float64{0.5, -0.5}
	langevinStep(x, []float64{0.5, -0.5}, []float64{1, 2}, 0.1, 0.16, 1)
	if x[0] != 0.5 || x[1] != -0.5 {
		t.Errorf("moved to %v", x)
	}
}

func TestStepSizeFaults(t *testing.T) {
	o := options("annealed-langevin", 10)
	o.SigmaMin = 0.002
	wantFault(t, o, "step_size is 8e-05, want less than 4 sigma_min^2 (1.6e-05)")
	o = options("annealed-langevin", 10)
	o.Corrections, o.StepSize = 0, 0
	wantFault(t, o, "corrections is 0, want at least 1")
	wantFault(t, o, "step_size is 0, want a finite number above 0")
	o = options("predictor-corrector", 10)
	o.SNR = 0
	wantFault(t, o, "snr is 0, want a finite number above 0")
}
