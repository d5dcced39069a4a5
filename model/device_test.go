package model_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"edm/internal/engine"
	"edm/internal/testkit/detached"
	"edm/loss"
	"edm/model"
)

func TestCheckDevice(t *testing.T) {
	for _, c := range []struct{ name, precision, want string }{
		{"auto", "fp32", ""}, {"auto", "bf16", ""}, {"cpu", "fp32", ""}, {"cuda", "tf32", ""}, {"cuda:12", "bf16", ""},
		{"cpu", "bf16", "precision bf16 is a GPU's"},
		{"gpu", "fp32", `device is "gpu", want auto, cpu, cuda or cuda:N`},
		{"", "fp32", `device is ""`}, {"cpu:0", "fp32", "cpu:0"}, {"auto:1", "fp32", "auto:1"},
		{"cuda:", "fp32", "cuda:"}, {"cuda:-1", "fp32", "cuda:-1"}, {"cuda:x", "fp32", "cuda:x"},
		{"cuda", "fp16", `precision is "fp16", want one of fp32, tf32, bf16`},
	} {
		err := model.CheckDevice(c.name, c.precision)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s, %s: %v, want %q", c.name, c.precision, err, c.want)
		}
		if d, opened := model.OpenDevice(c.name, 1, c.precision); err != nil && (opened == nil || d != nil) {
			t.Errorf("%s, %s was opened", c.name, c.precision)
		}
	}
}

func TestOpenCPUDevice(t *testing.T) {
	d, err := model.OpenDevice("cpu", 1, "fp32")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	fast, err := model.OpenCPU(1)
	if err != nil {
		t.Fatal(err)
	}
	defer fast.Close()
	if d.Name() != fast.Name() || d.String() != d.Name() {
		t.Errorf("opened %s (%v), want %s", d.Name(), d, fast.Name())
	}
}

// On a device with a memory of its own training works there and gives the same
// bits: gradients that two parameters share, and frozen parameters, included.
func TestTrainingOnTheDevice(t *testing.T) {
	for name, c := range map[string]model.Config{"ddpmpp": little(), "ncsnpp": fourier(t)} {
		plain := model.Portable()
		_, after, ema, grad := train(t, newModel(t, c, plain), plain, loss.Default())
		b := &detached.Backend{}
		own := model.NewDevice(b)
		_, after2, ema2, grad2 := train(t, newModel(t, c, own), own, loss.Default())
		for i, pair := range [][2][]float32{{after, after2}, {ema, ema2}, {grad, grad2}} {
			if !slices.Equal(pair[0], pair[1]) {
				t.Errorf("%s: the %s differ", name, []string{"weights", "averages", "gradients"}[i])
			}
		}
		if b.Runs() == 0 {
			t.Errorf("%s: nothing ran on the device", name)
		}
	}
}

// A plan that does not fit says what it takes, what is free, and what would fit.
func TestOutOfDeviceMemory(t *testing.T) {
	const n = 8
	b := &detached.Backend{}
	m := newModel(t, little(), model.NewDevice(b))
	plan, err := m.PlanLoss(loss.Default(), n, true, model.Recompute{})
	if err != nil {
		t.Fatal(err)
	}
	b.Capacity = plan.ArenaBytes * 11 / 20
	_, err = m.NewLoss(loss.Default(), n, true)
	var full *engine.OutOfMemory
	if !errors.As(err, &full) || full.Free != b.Capacity || !strings.Contains(err.Error(), "a batch of 8 images needs") || !strings.Contains(err.Error(), "about 4 images would fit") {
		t.Errorf("half of the memory: %v", err)
	}
	if _, err := m.NewLoss(loss.Default(), n/2, true); err != nil {
		t.Errorf("what would fit: %v", err)
	}
	b.Capacity = b.Used() + 1000
	if _, err = m.NewLoss(loss.Default(), 1, true); err == nil || !strings.Contains(err.Error(), "not one image fits") {
		t.Errorf("no memory: %v", err)
	}
	d := model.NewDevice(b)
	if err := d.Mirror(make([]float32, 100), make([]float32, 1000)); err == nil || b.Capacity-b.Used() != 1000 {
		t.Errorf("mirrored 4400 bytes in 1000, or left %d in use: %v", b.Used(), err)
	}
}

// The weights of a denoiser have one copy in the device's memory for all its
// programs, which follows the host's when another denoiser is made of them; those
// that their owner mirrored are left as they are.
func TestDenoisersShareTheirWeights(t *testing.T) {
	b := &detached.Backend{}
	device := model.NewDevice(b)
	m := newModel(t, little(), device)
	p := newLossProblem(t, m, 1)
	draw := func(weights []float32) []float64 {
		t.Helper()
		d, err := m.Denoiser(weights, 2)
		if err != nil {
			t.Fatal(err)
		}
		x, out := make([]float64, m.Config().Dim()), make([]float64, m.Config().Dim())
		if err := d.Denoise(context.Background(), out, x, 0.7, nil); err != nil {
			t.Fatal(err)
		}
		return out
	}
	first := draw(p.weights)
	if !b.Mirrored(p.weights) {
		t.Fatal("the weights are not mirrored")
	}
	changed := slices.Clone(p.weights)
	for i := range p.weights {
		p.weights[i] *= 1.5
	}
	if slices.Equal(draw(p.weights), first) {
		t.Error("weights that changed on the host give the old images")
	}
	if !slices.Equal(draw(changed), first) || b.Mirrored(p.weights) || !b.Mirrored(changed) {
		t.Error("the second denoiser's weights did not take the place of the first's")
	}
	if err := device.Mirror(changed); err != nil {
		t.Fatal(err)
	}
	clear(changed) // the host's part alone
	if !slices.Equal(draw(changed), first) {
		t.Error("weights that their owner mirrored were changed")
	}
}
