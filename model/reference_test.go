package model_test

import (
	"context"
	"encoding/json"
	"errors"
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

// devices are the portable definition, the fast kernels and, where there is one,
// a GPU: every reference is held on all.
func devices(t *testing.T) []*model.Device {
	t.Helper()
	fast, err := model.OpenCPU(2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { fast.Close() })
	return append([]*model.Device{model.Portable(), fast}, gputest.All(t)...)
}

// fromReference returns the model of a reference file's metadata with the
// weights under the given prefix.
func fromReference(t *testing.T, d *model.Device, f *safetensors.File, prefix string) (*model.Model, []float32) {
	t.Helper()
	text := []byte(f.Metadata["config"])
	var c unet.Config
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	var images struct {
		Channels int `json:"img_channels"`
	}
	if err := json.Unmarshal(text, &images); err != nil {
		t.Fatal(err)
	}
	c.InChannels, c.OutChannels = images.Channels, images.Channels
	p := recordedPrecond(t, f)
	if p.Name() == precond.IDDPMName {
		c.OutChannels *= 2
	}
	m, err := model.New(model.Config{Network: c, Precond: p}, d)
	if err != nil {
		t.Fatal(err)
	}
	weights := make([]float32, m.Layout().Size)
	tensors := map[string]safetensors.Tensor{}
	for name, ts := range f.Tensors {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			tensors[rest] = ts
		}
	}
	if err := m.Layout().SetTensors(weights, tensors); err != nil {
		t.Fatal(err)
	}
	return m, weights
}

// recordedPrecond returns the preconditioning of a reference file with its
// table of noise levels; the losses were recorded with EDM's or their own.
func recordedPrecond(t *testing.T, f *safetensors.File) precond.Preconditioning {
	t.Helper()
	name := f.Metadata["preconditioner"]
	if name == "" {
		name = f.Metadata["loss"]
	}
	p, err := precond.New(name, nil)
	if err != nil {
		t.Fatal(err)
	}
	if q, ok := p.(precond.IDDPM); ok {
		if p, err = q.WithTable(reference.Values(t, f, "buffer.u")); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// optional returns a tensor, or nil where the file has none.
func optional(t *testing.T, f *safetensors.File, name string) []float32 {
	t.Helper()
	if _, ok := f.Tensors[name]; !ok {
		return nil
	}
	return reference.Values32(t, f, name)
}

// relative is the largest error over the RMS of want, beyond an absolute
// allowance.
func relative(got, want []float64, allow float64) float64 {
	var sum, worst float64
	for i, w := range want {
		sum += w * w
		if e := math.Abs(got[i] - w); !(e <= worst+allow) {
			worst = e - allow
		}
	}
	return worst / math.Sqrt(sum/float64(len(want)))
}

func TestReferencePrecond(t *testing.T) {
	for _, d := range devices(t) {
		t.Run(d.Name(), func(t *testing.T) {
			reference.Each(t, "precond/*.safetensors", func(t *testing.T, f *safetensors.File) {
				m, weights := fromReference(t, d, f, "param.")
				den, err := m.Denoiser(weights, 3)
				if err != nil {
					t.Fatal(err)
				}
				x, want := reference.Values(t, f, "in.x"), reference.Values(t, f, "out.D")
				dim := m.Config().Dim()
				labels := optional(t, f, "in.class_labels")
				for i, sigma := range reference.Values(t, f, "sigma_rounded") {
					var row []float32
					if k := m.Config().Network.LabelDim; labels != nil {
						row = labels[i*k : (i+1)*k]
					}
					got := make([]float64, dim)
					if err := den.Denoise(context.Background(), got, x[i*dim:(i+1)*dim], sigma, row); err != nil {
						t.Fatal(err)
					}
					if e := relative(got, want[i*dim:(i+1)*dim], 0); !(e <= 1e-4) {
						t.Errorf("sigma %g: error %.2e of D's RMS, want at most 1e-4", sigma, e)
					}
				}
			})
		})
	}
}

func TestReferenceLoss(t *testing.T) {
	for _, d := range devices(t) {
		t.Run(d.Name(), func(t *testing.T) {
			reference.Each(t, "loss/*.safetensors", func(t *testing.T, f *safetensors.File) { compareLoss(t, d, f) })
		})
	}
}

// recordedLoss computes a reference file's losses and their gradient, and holds
// the losses to the recorded ones.
func recordedLoss(t *testing.T, d *model.Device, f *safetensors.File, allowed float64) (*model.Model, []float32) {
	t.Helper()
	m, weights := fromReference(t, d, f, "param.")
	objective, err := loss.New(f.Metadata["loss"], nil)
	if err != nil {
		t.Fatal(err)
	}
	b := recordedBatch(t, f, objective)
	program, err := m.NewLoss(objective, len(b.Sigma), true)
	if err != nil {
		t.Fatal(err)
	}
	grad, losses := make([]float32, m.Layout().Size), make([]float64, len(b.Sigma))
	if err := errors.Join(program.Run(weights, grad, losses, &b), program.Close()); err != nil {
		t.Fatal(err)
	}
	each, dim := reference.Values(t, f, "out.loss"), m.Config().Dim()
	for i, got := range losses {
		var want float64
		for _, v := range each[i*dim : (i+1)*dim] {
			want += v / float64(dim)
		}
		if !(math.Abs(got-want) <= allowed*want) {
			t.Errorf("loss of image %d: %.8g, want %.8g", i, got, want)
		}
	}
	return m, grad
}

func compareLoss(t *testing.T, d *model.Device, f *safetensors.File) {
	m, grad := recordedLoss(t, d, f, 1e-4)
	// Rounding noise: a millionth of the RMS over all the reference's gradients.
	// The key part of an attention bias has a true gradient of zero.
	var sum float64
	for _, p := range m.Layout().Params {
		for _, v := range reference.Values(t, f, "grad."+p.Name) {
			sum += v * v
		}
	}
	noise := 1e-6 * math.Sqrt(sum/float64(m.Layout().Count))
	for _, p := range m.Layout().Params {
		want := reference.Values(t, f, "grad."+p.Name)
		got := make([]float64, p.Len)
		for i, v := range p.View(grad) {
			got[i] = float64(v)
		}
		if e := relative(got, want, noise); !(e <= 1e-3) {
			t.Errorf("gradient of %s: error %.2e of its RMS, want at most 1e-3", p.Name, e)
		}
	}
}

// recordedBatch returns the batch that a reference file's losses are of.
func recordedBatch(t *testing.T, f *safetensors.File, o loss.Objective) model.Batch {
	t.Helper()
	draws := reference.Values(t, f, "draw.sigma")
	b := model.Batch{
		Labels: optional(t, f, "in.class_labels"), Augment: optional(t, f, "in.augment_labels"),
		Images: reference.Values32(t, f, "in.images"), Noise: reference.Values32(t, f, "draw.noise"),
		Gradient: 1 / float64(len(draws)),
	}
	for _, v := range draws {
		b.Sigma = append(b.Sigma, o.Sigma(v))
		b.Weight = append(b.Weight, o.Weight(b.Sigma[len(b.Sigma)-1]))
	}
	return b
}
