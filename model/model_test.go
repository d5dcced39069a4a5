package model_test

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"edm/checkpoints/safetensors"
	"edm/internal/rng"
	"edm/loss"
	"edm/model"
	"edm/model/precond"
	"edm/unet"
)

func preset(t testing.TB, name string) model.Config {
	t.Helper()
	n, err := unet.Preset(name)
	if err != nil {
		t.Fatal(err)
	}
	return model.Config{Network: n, Precond: precond.DefaultEDM()}
}

// little is a conditional network with every kind of block, small enough for
// every test.
func little() model.Config {
	n := unet.DefaultConfig()
	n.ImgResolution, n.InChannels, n.OutChannels, n.LabelDim = 8, 3, 3, 4
	n.ModelChannels, n.ChannelMult, n.NumBlocks, n.AttnResolutions, n.Dropout = 16, []int{1, 2}, 1, []int{4}, 0.2
	return model.Config{Network: n, Precond: precond.DefaultEDM()}
}

func newModel(t testing.TB, c model.Config, d *model.Device) *model.Model {
	t.Helper()
	m, err := model.New(c, d)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// The published networks' parameter counts, and the project's presets.
func TestParameterCounts(t *testing.T) {
	cond := preset(t, "cifar10")
	cond.Network.LabelDim, cond.Network.AugmentDim = 10, 9
	for _, c := range []struct {
		name   string
		config model.Config
		want   int
	}{
		{"cifar10 conditional with augmentation", cond, 55735299},
		{"small", preset(t, "small"), 6989891},
		{"demo", preset(t, "demo"), 1259393},
	} {
		if got := newModel(t, c.config, model.Portable()).Layout().Count; got != c.want {
			t.Errorf("%s has %d parameters, want %d", c.name, got, c.want)
		}
	}
}

// zeroNetwork returns a model and weights for which F = 0: the last
// convolution is zero.
func zeroNetwork(t *testing.T, c model.Config, d *model.Device) (*model.Model, []float32) {
	t.Helper()
	m := newModel(t, c, d)
	w := make([]float32, m.Layout().Size)
	if err := m.Layout().Init(w, 1); err != nil {
		t.Fatal(err)
	}
	cleared := 0
	for _, p := range m.Layout().Params {
		if strings.Contains(p.Name, "aux_conv") {
			clear(p.View(w))
			cleared++
		}
	}
	if cleared != 2 {
		t.Fatalf("%d tensors of the last layer, want weight and bias", cleared)
	}
	return m, w
}

// With F = 0 and data of standard deviation sigma_data, the expected weighted
// loss is 1 at every noise level (EDM Sec. 5).
func TestInitialLossIsOneAtEverySigma(t *testing.T) {
	d := devices(t)[1]
	c := preset(t, "small")
	m, w := zeroNetwork(t, c, d)
	objective := loss.Default()
	const n = 8
	program, err := m.NewLoss(objective, n, false)
	if err != nil {
		t.Fatal(err)
	}
	dim := m.Config().Dim()
	b := model.Batch{Images: make([]float32, n*dim), Noise: make([]float32, n*dim), Sigma: make([]float64, n), Weight: make([]float64, n)}
	rng.FillNormal(b.Images, 1, rng.Noise, 0)
	rng.FillNormal(b.Noise, 2, rng.Noise, 0)
	for i := range b.Images {
		b.Images[i] *= float32(objective.SigmaData)
	}
	losses := make([]float64, n)
	for _, sigma := range []float64{0.002, 0.02, 0.2, 0.5, 1, 5, 80} {
		for i := range n {
			b.Sigma[i], b.Weight[i] = sigma, objective.Weight(sigma)
		}
		if err := program.Run(w, nil, losses, &b); err != nil {
			t.Fatal(err)
		}
		var mean float64
		for _, v := range losses {
			mean += v / n
		}
		// The mean of n*dim squared unit normals: 5 standard errors.
		if tol := 5 * math.Sqrt(2.0/float64(n*dim)); math.Abs(mean-1) > tol {
			t.Errorf("sigma %g: loss %.4f, want 1 within %.4f", sigma, mean, tol)
		}
	}
}

func TestDenoiserIsIndependentOfTheBatch(t *testing.T) {
	for _, d := range devices(t) {
		m := newModel(t, little(), d)
		w := make([]float32, m.Layout().Size)
		rng.FillNormal(w, 1, rng.Init, 0)
		for i := range w {
			w[i] *= 0.1
		}
		const n = 5
		dim := m.Config().Dim()
		x, labels := make([]float64, n*dim), make([]float32, n*4)
		rng.FillNormal(x, 1, rng.Latents, 0)
		for i := range n {
			labels[i*4+i%4] = 1
		}
		var want []float64
		for _, batch := range []int{1, 2, 5, 64} {
			den, err := m.Denoiser(w, batch)
			if err != nil {
				t.Fatal(err)
			}
			got := make([]float64, n*dim)
			if err := den.Denoise(context.Background(), got, x, 0.7, labels); err != nil {
				t.Fatal(err)
			}
			if want == nil {
				want = got
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s: batches of %d give other bits", d.Name(), batch)
			}
		}
	}
}

// The gradient of the whole loss by random directions equals its finite
// difference, dropout and labels included.
func TestLossGradientByFiniteDifferences(t *testing.T) {
	m := newModel(t, little(), devices(t)[1])
	objective := loss.Default()
	const n = 3
	program, err := m.NewLoss(objective, n, true)
	if err != nil {
		t.Fatal(err)
	}
	dim := m.Config().Dim()
	b := model.Batch{
		Images: make([]float32, n*dim), Noise: make([]float32, n*dim), Labels: make([]float32, n*4),
		Sigma: []float64{0.1, 0.5, 2}, Counter: []int64{7, 8, 9}, Dropout: 0.2, Gradient: 1,
	}
	rng.FillNormal(b.Images, 1, rng.Noise, 0)
	rng.FillNormal(b.Noise, 2, rng.Noise, 0)
	for i, s := range b.Sigma {
		b.Weight = append(b.Weight, objective.Weight(s))
		b.Labels[4*i+i] = 1
	}
	w, grad := make([]float32, m.Layout().Size), make([]float32, m.Layout().Size)
	direction := make([]float32, len(w))
	rng.FillNormal(direction, 4, rng.Init, 0)
	if err := m.Layout().Init(w, 1); err != nil {
		t.Fatal(err)
	}
	for i := range w { // away from the nearly-zero initial residual branches
		w[i] += 0.05 * direction[len(w)-1-i]
	}
	losses, total := make([]float64, n), func(at []float32) float64 {
		unused, each := make([]float32, len(w)), make([]float64, n)
		if err := program.Run(at, unused, each, &b); err != nil {
			t.Fatal(err)
		}
		var sum float64
		for _, v := range each {
			sum += v * float64(dim)
		}
		return sum
	}
	if err := program.Run(w, grad, losses, &b); err != nil {
		t.Fatal(err)
	}
	for _, p := range m.Layout().Params {
		var want, size float64
		for i, g := range p.View(grad) {
			want += float64(g) * float64(p.View(direction)[i])
			size += float64(g) * float64(g)
		}
		const h = 2e-3
		moved := slices.Clone(w)
		shift := func(f float32) float64 {
			for i := range p.View(w) {
				p.View(moved)[i] = p.View(w)[i] + f*p.View(direction)[i]
			}
			return total(moved)
		}
		norm := float32(math.Sqrt(float64(p.Len)))
		got := (shift(h/norm) - shift(-h/norm)) / (2 * h) * float64(norm)
		// Float32 losses around 1e4 carry noise of about 1e-3, over h.
		if tol := 0.02*math.Sqrt(size) + 1.5*float64(norm); !(math.Abs(got-want) <= tol) {
			t.Errorf("%s: finite difference %.5g, gradient %.5g (tolerance %.2g)", p.Name, got, want, tol)
		}
	}
}

func TestSnapshotRoundTrip(t *testing.T) {
	m := newModel(t, little(), model.Portable())
	w := make([]float32, m.Layout().Size)
	if err := m.Layout().Init(w, 3); err != nil {
		t.Fatal(err)
	}
	f, err := m.Snapshot(w)
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := safetensors.Write(&file, f); err != nil {
		t.Fatal(err)
	}
	read, err := safetensors.Parse(file.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	again, weights, err := model.FromSnapshot(read, model.Portable())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(weights, w) {
		t.Error("the weights changed")
	}
	a, _ := json.Marshal(m.Config())
	b, _ := json.Marshal(again.Config())
	if !bytes.Equal(a, b) {
		t.Errorf("configuration %s, was %s", b, a)
	}
	for what, change := range map[string]func(*safetensors.File){
		"a missing tensor": func(f *safetensors.File) { delete(f.Tensors, m.Layout().Params[3].Name) },
		"an extra tensor":  func(f *safetensors.File) { f.Tensors["model.x"] = safetensors.FromFloat32s([]float32{1}, 1) },
		"another shape": func(f *safetensors.File) {
			f.Tensors[m.Layout().Params[0].Name] = safetensors.FromFloat32s([]float32{1}, 1)
		},
		"no configuration": func(f *safetensors.File) { delete(f.Metadata, model.MetadataKey) },
		"broken JSON":      func(f *safetensors.File) { f.Metadata[model.MetadataKey] = "{" },
		"unknown precond": func(f *safetensors.File) {
			f.Metadata[model.MetadataKey] = strings.Replace(f.Metadata[model.MetadataKey], `"edm"`, `"x"`, 1)
		},
		"a negative channel": func(f *safetensors.File) {
			f.Metadata[model.MetadataKey] = strings.Replace(f.Metadata[model.MetadataKey], `"model_channels":16`, `"model_channels":-16`, 1)
		},
		"an absurd dimension": func(f *safetensors.File) {
			f.Metadata[model.MetadataKey] = strings.Replace(f.Metadata[model.MetadataKey], `"num_blocks":1`, `"num_blocks":60000`, 1)
		},
	} {
		bad, err := m.Snapshot(w)
		if err != nil {
			t.Fatal(err)
		}
		change(bad)
		if _, _, err := model.FromSnapshot(bad, model.Portable()); err == nil {
			t.Errorf("%s was accepted", what)
		}
	}
}
