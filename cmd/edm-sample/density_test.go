package main

import (
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"edm/checkpoints/safetensors"
	"edm/data"
	"edm/model"
	"edm/sample"
	"edm/sample/likelihood"
)

func TestLikelihood(t *testing.T) {
	_, trained := trained(t, true)
	code, stdout, stderr := execute("--network", trained.Snapshot, "--likelihood", writeIDX(t, 20, 8, 3), "--count=5", "--batch=2", "--steps=2", "--probes=2")
	if code != 0 {
		t.Fatalf("exit status %d: %s", code, stderr)
	}
	for _, want := range []string{"5 images of", "rk4, 2 steps", "bits/dim, standard error", "log2(127.5) = 6.9944 bits/dim"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("output lacks %q:\n%s", want, stdout)
		}
	}
	code, _, stderr = execute("--network", trained.Snapshot, "--likelihood", writeIDX(t, 4, 9, 3))
	if code == 0 || !strings.Contains(stderr, "--likelihood") {
		t.Errorf("images of another size: exit status %d, prints %q", code, stderr)
	}
	code, _, stderr = execute("--network", trained.Snapshot, "--likelihood", writeIDX(t, 9, 8, 4))
	if code != 2 || !strings.Contains(stderr, "has 4 classes, the network 3") {
		t.Errorf("more classes: exit status %d, prints %q", code, stderr)
	}
	code, _, stderr = execute("--network", trained.Snapshot, "--likelihood", filepath.Join(t.TempDir(), "none"))
	if code != 1 || !strings.Contains(stderr, "--likelihood: data: open") {
		t.Errorf("no dataset: exit status %d, prints %q", code, stderr)
	}
}

// The noise and the probes of an image are its own, in any batch.
func TestLikelihoodOfPart(t *testing.T) {
	_, trained := trained(t, true)
	device, err := model.OpenCPU(1)
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	o := defaultOptions()
	o.networkPath, o.mode = trained.Snapshot, likelihoodMode
	o.density = density{data: writeIDX(t, 20, 8, 3), count: 5, options: likelihood.DefaultOptions()}
	o.density.options.Path.Steps = 2
	s, err := newJob(o, device, io.Discard, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	e, err := likelihood.New(s.source.Denoiser.(likelihood.Differentiable), o.density.options)
	if err != nil {
		t.Fatal(err)
	}
	im, err := s.openImages()
	if err != nil {
		t.Fatal(err)
	}
	defer data.Close(im.Dataset)
	all, err := s.bitsOf(t.Context(), e, im, 0, 5)
	if err != nil {
		t.Fatal(err)
	}
	part, err := s.bitsOf(t.Context(), e, im, 2, 4)
	if err != nil || !slices.Equal(part, all[2:4]) {
		t.Errorf("%v alone, %v among others (%v)", part, all[2:4], err)
	}
}

func TestInvert(t *testing.T) {
	_, trained := trained(t, false)
	path := filepath.Join(t.TempDir(), "latents.safetensors")
	code, stdout, stderr := execute("--network", trained.Snapshot, "--invert", writeIDX(t, 9, 8, 3), "--count=3", "--batch=2", "--solver=heun", "--save_latents", path)
	if code != 0 || !strings.Contains(stdout, "round trip: RMS error ") {
		t.Fatalf("exit status %d, prints %q and %q", code, stdout, stderr)
	}
	f, err := safetensors.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	latents, err := f.Tensors["latents"].Float32s()
	if err != nil || len(latents) != 3*64 || f.Metadata["sigma_max"] != "80" {
		t.Errorf("%d latents, metadata %v (%v)", len(latents), f.Metadata, err)
	}
	want := latentsOf(t, trained.Snapshot, writeIDX(t, 9, 8, 3))
	for j, z := range want {
		if math.Abs(z-float64(latents[j])) > 1e-4 {
			t.Fatalf("latent %d is %v, want %v", j, latents[j], z)
		}
	}
}

// latentsOf inverts the first image of a dataset.
func latentsOf(t *testing.T, snapshot, path string) []float64 {
	t.Helper()
	device, err := model.OpenCPU(1)
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	n, err := loadNetwork("--network", snapshot, "", device, nil)
	if err != nil {
		t.Fatal(err)
	}
	den, err := n.model.Denoiser(n.weights, 1)
	if err != nil {
		t.Fatal(err)
	}
	o := likelihood.DefaultPath()
	o.Solver = likelihood.Heun
	v, err := likelihood.NewInverter(den, o)
	if err != nil {
		t.Fatal(err)
	}
	all := data.DefaultOptions()
	all.MaxSize = 3 // the images that --count=3 takes
	ds, err := data.Open(path, all)
	if err != nil {
		t.Fatal(err)
	}
	defer data.Close(ds)
	pixels := make([]uint8, ds.Shape().Len())
	if err := ds.Image(0, pixels); err != nil {
		t.Fatal(err)
	}
	x := make([]float64, len(pixels))
	for j, b := range pixels {
		x[j] = (float64(b) - 127.5) / 127.5
	}
	if err := v.Invert(t.Context(), x, len(x), nil); err != nil {
		t.Fatal(err)
	}
	return x
}

// The latents of a network that starts lower are those of its own range.
func TestInvertClipped(t *testing.T) {
	v, err := likelihood.NewInverter(narrow{}, likelihood.DefaultPath())
	if err != nil {
		t.Fatal(err)
	}
	if low, high := v.Ends(); low != 0.1 || high != 10 {
		t.Errorf("ends at %g and %g, want 0.1 and 10", low, high)
	}
}

// narrow is a denoiser of few noise levels.
type narrow struct{ sample.Denoiser }

func (narrow) SigmaRange() (low, high float64)  { return 0.1, 10 }
func (narrow) RoundSigma(sigma float64) float64 { return sigma }
