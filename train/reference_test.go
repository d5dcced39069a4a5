package train

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"edm/checkpoints/safetensors"
	"edm/internal/testkit/gputest"
	"edm/internal/testkit/reference"
	"edm/loss"
	"edm/model"
	"edm/model/precond"
	"edm/unet"
)

// TestReferenceTrain repeats recorded optimiser steps: loss, gradient, Adam
// with a learning-rate ramp-up, and the weight average with its own.
func TestReferenceTrain(t *testing.T) {
	fast, err := model.OpenCPU(2)
	if err != nil {
		t.Fatal(err)
	}
	defer fast.Close()
	for _, d := range append([]*model.Device{model.Portable(), fast}, gputest.All(t)...) {
		t.Run(d.Name(), func(t *testing.T) {
			reference.Each(t, "train/edm-*.safetensors", func(t *testing.T, f *safetensors.File) { repeat(t, d, f) })
		})
	}
}

// recorded returns the training configuration that a reference file describes.
func recorded(t *testing.T, f *safetensors.File) (Config, unet.Config) {
	t.Helper()
	var n unet.Config
	var extra struct {
		Channels int `json:"img_channels"`
	}
	var betas [2]float64
	for _, err := range []error{
		json.Unmarshal([]byte(f.Metadata["config"]), &n),
		json.Unmarshal([]byte(f.Metadata["config"]), &extra),
		json.Unmarshal([]byte(f.Metadata["betas"]), &betas),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	n.InChannels, n.OutChannels = extra.Channels, extra.Channels
	batch := int(reference.Number(t, f, "batch"))
	return Config{
		Precond: precond.EDMName, Loss: loss.EDMName,
		Batch: batch, Micro: batch, SigmaData: 0.5, PMean: -1.2, PStd: 1.2,
		LR: reference.Number(t, f, "lr"), LRRampup: reference.Number(t, f, "lr_rampup_nimg") / 1e6, Beta1: betas[0], Beta2: betas[1], Eps: reference.Number(t, f, "eps"),
		EMA: reference.Number(t, f, "ema_halflife_nimg") / 1e6, EMARampup: reference.Number(t, f, "ema_rampup_ratio"),
	}, n
}

func tensorsUnder(f *safetensors.File, prefix string) map[string]safetensors.Tensor {
	out := map[string]safetensors.Tensor{}
	for name, ts := range f.Tensors {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			out[rest] = ts
		}
	}
	return out
}

// startNImg is where the recorded run starts counting images.
const startNImg = 8

// repeat drives the trainer's own step with the recorded draws.
func repeat(t *testing.T, d *model.Device, f *safetensors.File) {
	c, n := recorded(t, f)
	m, err := model.New(model.Config{Network: n, Precond: precond.DefaultEDM()}, d)
	if err != nil {
		t.Fatal(err)
	}
	s, err := newStepper(c, m, d)
	if err != nil {
		t.Fatal(err)
	}
	for _, flat := range [][]float32{s.weights.raw, s.weights.ema} {
		if err := m.Layout().SetTensors(flat, tensorsUnder(f, "init.")); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Upload(s.weights.raw, s.weights.ema); err != nil {
		t.Fatal(err)
	}
	initial := append([]float32(nil), s.weights.raw...)
	s.nimg = startNImg
	steps := 0
	for ; f.Tensors[fmt.Sprintf("step%d.images", steps)].Data != nil; steps++ {
		at := fmt.Sprintf("step%d.", steps)
		s.source = &recordedSource{microbatch{Batch: *recordedDraws(t, c, f, at)}}
		near(t, at+"lr", c.learningRate(s.nimg), reference.Values(t, f, at+"lr")[0], 1e-6)
		near(t, at+"ema_beta", c.emaBeta(s.nimg), reference.Values(t, f, at+"ema_beta")[0], 1e-6)
		st := newStats(t, c)
		if err := s.advance(t.Context(), &st); err != nil {
			t.Fatal(err)
		}
		near(t, at+"loss_mean", st.bins.mean(), reference.Values(t, f, at+"loss_mean")[0], 1e-3)
	}
	if steps == 0 {
		t.Fatal("the reference holds no step")
	}
	if err := d.Download(s.weights.raw, s.weights.ema); err != nil {
		t.Fatal(err)
	}
	compareUpdate(t, f, "final.", m.Layout(), s.weights.raw, initial)
	compareUpdate(t, f, "ema.", m.Layout(), s.weights.ema, initial)
}

// recordedSource hands out one microbatch.
type recordedSource struct{ m microbatch }

func (s *recordedSource) next(context.Context) (*microbatch, error) { return &s.m, nil }

func (s *recordedSource) ahead(context.Context) *microbatch { return nil }

func recordedDraws(t *testing.T, c Config, f *safetensors.File, at string) *model.Batch {
	t.Helper()
	b := &model.Batch{
		Images: reference.Values32(t, f, at+"images"), Noise: reference.Values32(t, f, at+"draw.noise"),
		Gradient: 1 / float64(c.Batch),
	}
	objective, err := c.Objective()
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range reference.Values(t, f, at+"draw.sigma") {
		sigma := objective.Sigma(v)
		b.Sigma, b.Weight = append(b.Sigma, sigma), append(b.Weight, objective.Weight(sigma))
	}
	return b
}

func near(t *testing.T, what string, got, want, tol float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tol*math.Abs(want)+1e-12) {
		t.Errorf("%s: %.8g, want %.8g", what, got, want)
	}
}

// compareUpdate holds the movement of each parameter to 1 % of its RMS. The key
// part of an attention bias is left out: its true gradient is zero, and Adam
// turns rounding noise into steps.
func compareUpdate(t *testing.T, f *safetensors.File, prefix string, l model.Layout, got, initial []float32) {
	t.Helper()
	for _, p := range l.Params {
		want := reference.Values(t, f, prefix+p.Name)
		begin := reference.Values(t, f, "init."+p.Name)
		var diff, size float64
		for i, v := range p.View(got) {
			if strings.HasSuffix(p.Name, "qkv.bias") && i%3 == 1 {
				continue
			}
			a, b := float64(v)-float64(p.View(initial)[i]), want[i]-begin[i]
			diff += (a - b) * (a - b)
			size += b * b
		}
		if !(math.Sqrt(diff) <= 0.01*math.Sqrt(size)) {
			t.Errorf("%s%s: update differs by %.3g of its RMS, want at most 0.01", prefix, p.Name, math.Sqrt(diff/size))
		}
	}
}
