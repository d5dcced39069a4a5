//go:build gpu

package model_test

import (
	"context"
	"math"
	"testing"

	"edm/checkpoints/safetensors"
	"edm/internal/testkit/gputest"
	"edm/internal/testkit/reference"
	"edm/loss"
	"edm/model"
)

// Factors of bfloat16 have 8 bits: the error of a sum of products is about 2^-9
// of its terms' size, and grows with the depth of the network. tf32 has 11.
var coarse = map[string]struct{ output, loss, gradient float64 }{
	"tf32": {output: 2e-3, loss: 5e-4, gradient: 2e-3},
	"bf16": {output: 2e-2, loss: 2e-3, gradient: 2e-2},
}

// distance returns |a-b| / |b|.
func distance(a, b []float64) float64 {
	var diff, size float64
	for i, v := range b {
		diff += (a[i] - v) * (a[i] - v)
		size += v * v
	}
	return math.Sqrt(diff / size)
}

// The recorded denoisers, losses and gradients with products of less precise
// factors: D and the losses each, the gradient as a whole.
func TestReferenceInCoarsePrecision(t *testing.T) {
	for precision, allowed := range coarse {
		d := gputest.First(t, precision)
		t.Run(precision, func(t *testing.T) {
			reference.Each(t, "precond/*.safetensors", func(t *testing.T, f *safetensors.File) {
				coarseDenoiser(t, d, f, allowed.output)
			})
			reference.Each(t, "loss/*.safetensors", func(t *testing.T, f *safetensors.File) {
				coarseLoss(t, d, f, allowed.loss, allowed.gradient)
			})
		})
	}
}

func coarseDenoiser(t *testing.T, d *model.Device, f *safetensors.File, allowed float64) {
	m, weights := fromReference(t, d, f, "param.")
	den, err := m.Denoiser(weights, 3)
	if err != nil {
		t.Fatal(err)
	}
	x, want := reference.Values(t, f, "in.x"), reference.Values(t, f, "out.D")
	dim, labels := m.Config().Dim(), optional(t, f, "in.class_labels")
	for i, sigma := range reference.Values(t, f, "sigma_rounded") {
		var row []float32
		if k := m.Config().Network.LabelDim; labels != nil {
			row = labels[i*k : (i+1)*k]
		}
		got := make([]float64, dim)
		if err := den.Denoise(context.Background(), got, x[i*dim:(i+1)*dim], sigma, row); err != nil {
			t.Fatal(err)
		}
		e := distance(got, want[i*dim:(i+1)*dim])
		t.Logf("sigma %g: D differs by %.2e", sigma, e)
		if !(e <= allowed) {
			t.Errorf("sigma %g: D differs by %.2e, want at most %g", sigma, e, allowed)
		}
	}
}

func coarseLoss(t *testing.T, d *model.Device, f *safetensors.File, allowedLoss, allowedGradient float64) {
	m, grad := recordedLoss(t, d, f, allowedLoss)
	var all, want []float64
	for _, p := range m.Layout().Params {
		for _, v := range p.View(grad) {
			all = append(all, float64(v))
		}
		want = append(want, reference.Values(t, f, "grad."+p.Name)...)
	}
	e := distance(all, want)
	t.Logf("the gradient differs by %.2e", e)
	if !(e <= allowedGradient) {
		t.Errorf("the gradient differs by %.2e, want at most %g", e, allowedGradient)
	}
}

// Training in the device's memory gives what the processor gives, to rounding:
// two architectures, with gradients that parameters share and frozen parameters.
func TestTrainingOnTheGPU(t *testing.T) {
	d := gputest.First(t, "fp32")
	plain := model.Portable()
	for name, c := range map[string]model.Config{"ddpmpp": little(), "ncsnpp": fourier(t)} {
		before, want, _, _ := train(t, newModel(t, c, plain), plain, loss.Default())
		_, got, _, _ := train(t, newModel(t, c, d), d, loss.Default())
		e := distance(moved(got, before), moved(want, before))
		t.Logf("%s: the steps differ by %.2e", name, e)
		if !(e <= 2e-3) {
			t.Errorf("%s: the steps differ by %.2e", name, e)
		}
	}
}

// moved returns a-b.
func moved(a, b []float32) []float64 {
	d := make([]float64, len(a))
	for i := range a {
		d[i] = float64(a[i]) - float64(b[i])
	}
	return d
}

// An image's D does not depend on its neighbours in the batch, and weights that
// are mirrored give the bits of weights that are not.
func TestDenoiserOnTheGPU(t *testing.T) {
	d := gputest.First(t, "bf16")
	m := newModel(t, little(), d)
	weights := make([]float32, m.Layout().Size)
	if err := m.Layout().Init(weights, 3); err != nil {
		t.Fatal(err)
	}
	dim := m.Config().Dim()
	x := make([]float64, 3*dim)
	for i := range x {
		x[i] = math.Sin(float64(i))
	}
	denoise := func(batch int) []float64 {
		den, err := m.Denoiser(weights, batch)
		if err != nil {
			t.Fatal(err)
		}
		out := make([]float64, len(x))
		if err := den.Denoise(context.Background(), out, x, 0.5, nil); err != nil {
			t.Fatal(err)
		}
		return out
	}
	want := denoise(4)
	mirror(t, d, weights)
	for _, batch := range []int{1, 2, 4} {
		for i, v := range denoise(batch) {
			if v != want[i] {
				t.Fatalf("mirrored weights, batches of %d: element %d is %v, want %v", batch, i, v, want[i])
			}
		}
	}
}
