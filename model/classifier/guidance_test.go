package classifier

import (
	"math"
	"testing"

	"edm/internal/gmm"
	"edm/internal/rng"
	"edm/sample"
	"edm/sample/guide"
)

// On data of known classes the trained classifier's gradient is near the closed
// form, and steers an unconditional denoiser to the class asked for.
func TestGuidance(t *testing.T) {
	c := DefaultConfig()
	c.Resolution, c.Channels, c.Classes, c.ModelChannels, c.ChannelMult = 4, 1, 4, 16, []int{1, 2}
	const s0 = 0.25
	dim := c.Dim()
	means := make([]float64, c.Classes*dim)
	rng.FillNormal(means, 1, rng.Init, 0)
	for j := range means {
		means[j] *= 0.4
	}
	truth, err := gmm.NewClasses(means, dim, s0)
	if err != nil {
		t.Fatal(err)
	}
	images, labels := make([]float32, 4000*dim), make([]int, 4000)
	rng.FillNormal(images, 2, rng.Init, 0)
	for i := range labels {
		labels[i] = i % c.Classes
		for j := range dim {
			images[i*dim+j] = float32(means[labels[i]*dim+j] + s0*float64(images[i*dim+j]))
		}
	}
	o := DefaultTrainOptions()
	o.Images, o.Batch, o.LR = 12_800, 32, 6e-3
	k, err := Train(t.Context(), c, device(t), images, labels, o)
	if err != nil {
		t.Fatal(err)
	}
	const n = 60
	rows := make([]float32, n*c.Classes)
	for i := range n {
		rows[i*c.Classes+i%c.Classes] = 1
	}
	for _, sigma := range []float64{0.5, 1, 2} {
		x, got, want := make([]float64, n*dim), make([]float64, n*dim), make([]float64, n*dim)
		rng.FillNormal(x, 3, rng.Init, 0)
		for j := range x {
			x[j] = float64(images[j]) + sigma*x[j]
		}
		if err := k.Gradient(t.Context(), got, x, sigma, rows); err != nil {
			t.Fatal(err)
		}
		if err := truth.Gradient(t.Context(), want, x, sigma, rows); err != nil {
			t.Fatal(err)
		}
		var gg, gw, ww float64
		for j := range got {
			gg, gw, ww = gg+got[j]*got[j], gw+got[j]*want[j], ww+want[j]*want[j]
		}
		cosine := gw / math.Sqrt(gg*ww)
		t.Logf("sigma %g: cosine %.3f, length %.3f of the true gradient", sigma, cosine, math.Sqrt(gg/ww))
		if cosine < 0.5 {
			t.Errorf("sigma %g: the gradient has a cosine of %.3f with the true one", sigma, cosine)
		}
	}
	if got := steered(t, truth, k, rows, n); got < 0.75 { // chance is 0.25
		t.Errorf("%.2f of the images are of the class asked for, want 0.75", got)
	}
}

// steered returns the part of n guided samples that are of their class.
func steered(t *testing.T, truth *gmm.Classes, k *Classifier, rows []float32, n int) float64 {
	t.Helper()
	g := guide.DefaultOptions()
	g.Weight, g.SigmaHigh = 2.5, 5
	d, err := guide.NewClassifier(guide.WithoutLabels(truth), k, g)
	if err != nil {
		t.Fatal(err)
	}
	s, err := sample.New(d, sample.EDM())
	if err != nil {
		t.Fatal(err)
	}
	dim, classes := k.config.Dim(), k.config.Classes
	x := make([]float64, n*dim)
	rng.FillNormal(x, 4, rng.Init, 0)
	if _, err := s.Sample(t.Context(), sample.Batch{X: x, Dim: dim, Labels: rows}); err != nil {
		t.Fatal(err)
	}
	right := 0
	for i := range n {
		best, class := math.Inf(-1), -1
		for c := range classes {
			var l [1]float64
			if err := truth.Class(c).LogDensity(l[:], x[i*dim:(i+1)*dim], 0); err != nil {
				t.Fatal(err)
			}
			if l[0] > best {
				best, class = l[0], c
			}
		}
		if class == i%classes {
			right++
		}
	}
	t.Logf("%d of %d guided images are of their class, %d evaluations", right, n, d.Evaluations())
	return float64(right) / float64(n)
}
