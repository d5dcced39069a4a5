package model_test

import (
	"context"
	"slices"
	"testing"

	"edm/internal/rng"
	"edm/model"
	"edm/model/precond"
)

// rowser is what both denoisers of the package are.
type rowser interface {
	Denoise(ctx context.Context, dst, x []float64, sigma float64, labels []float32) error
	DenoiseRows(ctx context.Context, dst, x, sigmas []float64, labels []float32) error
}

// squares is an F of one's own that depends on its image, noise level and label.
type squares struct{ dim int }

func (s squares) Evaluate(_ context.Context, dst, x []float64, cNoise float64, labels []float32) error {
	classes := len(labels) / (len(x) / s.dim)
	for i, v := range x {
		dst[i] = v*v + cNoise
		for _, l := range labels[i/s.dim*classes : (i/s.dim+1)*classes] {
			dst[i] = 3*dst[i] + float64(l)
		}
	}
	return nil
}

// Rows at levels of their own equal each image by itself, bit for bit, in
// batches of any size.
func TestDenoiseRows(t *testing.T) {
	const n, classes = 5, 4
	m := newModel(t, little(), devices(t)[1])
	w := make([]float32, m.Layout().Size)
	rng.FillNormal(w, 1, rng.Init, 0)
	for i := range w {
		w[i] *= 0.1
	}
	dim := m.Config().Dim()
	network, err := m.Denoiser(w, 2)
	if err != nil {
		t.Fatal(err)
	}
	wrapped, err := model.Wrap(squares{dim}, precond.DefaultVP())
	if err != nil {
		t.Fatal(err)
	}
	x, labels := make([]float64, n*dim), make([]float32, n*classes)
	rng.FillNormal(x, 1, rng.Latents, 0)
	for i := range n {
		labels[i*classes+i%classes] = 1
	}
	sigmas := []float64{0.1, 7, 7, 0.4, 30}
	for name, d := range map[string]rowser{"network": network, "wrapped": wrapped} {
		ctx := context.Background()
		got, want := make([]float64, n*dim), make([]float64, n*dim)
		if err := d.DenoiseRows(ctx, got, x, sigmas, labels); err != nil {
			t.Fatal(err)
		}
		for i, sigma := range sigmas {
			a, b := i*dim, (i+1)*dim
			if err := d.Denoise(ctx, want[a:b], x[a:b], sigma, labels[i*classes:(i+1)*classes]); err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: rows at levels of their own differ from single images", name)
		}
		if err := d.DenoiseRows(ctx, got, x, sigmas[:3], labels); err == nil {
			t.Errorf("%s: 3 noise levels for 5 images were accepted", name)
		}
		if err := d.DenoiseRows(ctx, nil, nil, nil, nil); err != nil {
			t.Errorf("%s: no images: %v", name, err)
		}
	}
}

// A call of the network allocates nothing after the first.
func TestDenoiseDoesNotAllocate(t *testing.T) {
	m := newModel(t, little(), devices(t)[1])
	den, err := m.Denoiser(make([]float32, m.Layout().Size), 1)
	if err != nil {
		t.Fatal(err)
	}
	x, dst := make([]float64, m.Config().Dim()), make([]float64, m.Config().Dim())
	sigmas := []float64{2}
	for name, call := range map[string]func() error{
		"Denoise":     func() error { return den.Denoise(context.Background(), dst, x, 1, nil) },
		"DenoiseRows": func() error { return den.DenoiseRows(context.Background(), dst, x, sigmas, nil) },
	} {
		allocations := testing.AllocsPerRun(3, func() {
			if err := call(); err != nil {
				t.Fatal(err)
			}
		})
		if allocations > 0 {
			t.Errorf("%s allocates %g times", name, allocations)
		}
	}
}
