package likelihood_test

import (
	"math"
	"slices"
	"testing"

	"edm/internal/rng"
	"edm/model"
	"edm/model/precond"
	"edm/sample/likelihood"
	"edm/unet"
)

// network returns a small conditional network with weights away from their
// nearly-zero start.
func network(t *testing.T) (*model.Denoiser, int) {
	t.Helper()
	c := unet.DefaultConfig()
	c.ImgResolution, c.InChannels, c.OutChannels, c.LabelDim = 4, 2, 2, 3
	c.ModelChannels, c.ChannelMult, c.NumBlocks, c.AttnResolutions = 8, []int{1}, 1, []int{4}
	device, err := model.OpenCPU(1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { device.Close() })
	m, err := model.New(model.Config{Network: c, Precond: precond.DefaultEDM()}, device)
	if err != nil {
		t.Fatal(err)
	}
	w, shift := make([]float32, m.Layout().Size), make([]float32, m.Layout().Size)
	if err := m.Layout().Init(w, 1); err != nil {
		t.Fatal(err)
	}
	rng.FillNormal(shift, 2, rng.Init, 0)
	for i := range w {
		w[i] += 0.05 * shift[i]
	}
	d, err := m.Denoiser(w, 4)
	if err != nil {
		t.Fatal(err)
	}
	return d, m.Config().Dim()
}

// A network's likelihood by probes agrees with that by the exact trace, inversion
// takes the same path, and its images come back from their latents.
func TestNetwork(t *testing.T) {
	den, dim := network(t)
	const n = 3
	b := likelihood.Batch{X: make([]float64, n*dim), Dim: dim, Labels: make([]float32, 3*n), Seeds: []uint64{1, 2, 3}}
	bytes := make([]uint8, dim)
	for i := range n {
		for j := range bytes {
			bytes[j] = uint8(31*j + 77*i)
		}
		if err := likelihood.Dequantize(b.X[i*dim:(i+1)*dim], bytes, b.Seeds[i]); err != nil {
			t.Fatal(err)
		}
		b.Labels[3*i+i] = 1
	}
	estimate := func(trace string, probes int) likelihood.Result {
		o := likelihood.DefaultOptions()
		o.Path.Steps, o.Trace, o.Probes = 8, trace, probes
		e, err := likelihood.New(den, o)
		if err != nil {
			t.Fatal(err)
		}
		r, err := e.Estimate(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	exact, probed := estimate(likelihood.Exact, 1), estimate(likelihood.Rademacher, 50)
	for i, want := range exact.LogDensity {
		t.Logf("image %d: %.3f bits/dim, by probes %.3f +- %.3f nats of %.3f", i, exact.BitsPerDim[i], probed.LogDensity[i], probed.StdErr[i], want)
		if z := (probed.LogDensity[i] - want) / probed.StdErr[i]; !(math.Abs(z) <= 4) {
			t.Errorf("image %d: ln p %.3f by probes, exactly %.3f: %.1f standard errors", i, probed.LogDensity[i], want, z)
		}
	}
	short := likelihood.DefaultPath()
	short.Steps = 8
	v, err := likelihood.NewInverter(den, short)
	if err != nil {
		t.Fatal(err)
	}
	latents := slices.Clone(b.X)
	if err := v.Invert(t.Context(), latents, dim, b.Labels); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(latents, exact.Latents) {
		t.Error("Invert and Estimate end at different latents")
	}
	if v, err = likelihood.NewInverter(den, likelihood.DefaultPath()); err != nil {
		t.Fatal(err)
	}
	r, err := v.RoundTrip(t.Context(), b.X, dim, b.Labels)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("round trip errors %.2e", r.RMS)
	for i, e := range r.RMS {
		if !(e <= 1.0/127.5) {
			t.Errorf("image %d came back with an error of %g, want less than a byte's step", i, e)
		}
	}
}
