package classifier

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"edm/data"
	"edm/internal/rng"
	"edm/model"
	"edm/sample/guide"
)

var _ guide.ClassifierRows = (*Classifier)(nil)

func device(t testing.TB) *model.Device {
	t.Helper()
	d, err := model.OpenCPU(2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// little is the configuration of most tests.
func little() Config {
	c := DefaultConfig()
	c.Resolution, c.Channels, c.Classes, c.ModelChannels, c.ChannelMult = 8, 2, 3, 8, []int{1, 2}
	return c
}

// rough returns a classifier with weights away from their start, at which the
// last layer is zero.
func rough(t testing.TB, c Config) *Classifier {
	t.Helper()
	k, err := newClassifier(c, device(t), 1)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range k.layout.Params {
		shift := make([]float32, p.Len)
		rng.FillNormal(shift, 2, rng.Init, uint64(i))
		for j := range shift {
			p.View(k.weights)[j] += 0.1 * shift[j]
		}
	}
	return k
}

func normals(n int, seed uint64) []float64 {
	x := make([]float64, n)
	rng.FillNormal(x, seed, rng.Noise, 0)
	return x
}

// The gradient along a random direction is the change of ln p(class).
func TestGradientByFiniteDifferences(t *testing.T) {
	k := rough(t, little())
	dim := k.config.Dim()
	for _, sigma := range []float64{0.1, 1, 10} {
		x, u, grad := normals(3*dim, 1), normals(3*dim, 2), make([]float64, 3*dim)
		for j := range x {
			x[j] *= math.Hypot(0.5, sigma)
		}
		labels := []float32{1, 0, 0, 0, 0, 1, 0, 1, 0}
		if err := k.Gradient(t.Context(), grad, x, sigma, labels); err != nil {
			t.Fatal(err)
		}
		h := 2e-3 * math.Hypot(0.5, sigma)
		at := func(f float64) []float64 {
			moved, p := slices.Clone(x), make([]float64, 9)
			for j := range moved {
				moved[j] += f * u[j]
			}
			if err := k.LogProbabilities(t.Context(), p, moved, sigma); err != nil {
				t.Fatal(err)
			}
			return []float64{p[0], p[5], p[7]}
		}
		up, down := at(h), at(-h)
		for i := range 3 {
			var got, norm float64
			for j := i * dim; j < (i+1)*dim; j++ {
				got += grad[j] * u[j]
				norm += grad[j] * grad[j]
			}
			if want := (up[i] - down[i]) / (2 * h); !(math.Abs(got-want) <= 0.01*math.Sqrt(norm)) {
				t.Errorf("sigma %g, image %d: gradient %.6g along u, difference %.6g", sigma, i, got, want)
			}
		}
	}
}

// The gradient of the loss by every parameter, along a random direction, is the
// change of the mean loss.
func TestTrainingGradientByFiniteDifferences(t *testing.T) {
	k := rough(t, little())
	o := DefaultTrainOptions()
	o.Batch = 6
	tr, err := newTrainer(k, o)
	if err != nil {
		t.Fatal(err)
	}
	images, labels := make([]float32, 5*k.config.Dim()), []int{0, 1, 2, 1, 0}
	rng.FillNormal(images, 3, rng.Noise, 0)
	tr.draw(images, labels, 0)
	loss := func() float64 {
		if err := tr.program.RunAll(); err != nil {
			t.Fatal(err)
		}
		var sum float64
		for _, v := range tr.program.losses {
			sum += float64(v) / 6
		}
		return sum
	}
	loss()
	grad := slices.Clone(tr.grad)
	for i, p := range k.layout.Params {
		u, start := make([]float32, p.Len), slices.Clone(p.View(tr.weights))
		rng.FillNormal(u, 4, rng.Init, uint64(i))
		var want, norm float64
		for j, g := range p.View(grad) {
			want += float64(g) * float64(u[j])
			norm += float64(g) * float64(g)
		}
		const h = 2e-3
		move := func(f float32) float64 {
			for j, v := range start {
				p.View(tr.weights)[j] = v + f*u[j]
			}
			return loss()
		}
		got := (move(h) - move(-h)) / (2 * h)
		copy(p.View(tr.weights), start)
		// A loss of about 1 has a rounding error of 1e-7, over h.
		if !(math.Abs(got-want) <= 0.02*math.Sqrt(norm)+3e-4) {
			t.Errorf("%s: gradient %.6g along u, difference %.6g", p.Name, want, got)
		}
		if norm == 0 {
			t.Errorf("%s has no gradient", p.Name)
		}
	}
}

// An image's result is its own, whatever the batch and whichever call.
func TestImagesAreIndependent(t *testing.T) {
	k := rough(t, little())
	dim, n := k.config.Dim(), maxBatch+3
	x, labels := normals(n*dim, 1), make([]float32, 3*n)
	sigmas := make([]float64, n)
	for i := range sigmas {
		sigmas[i] = 0.1 * float64(i+1)
		labels[3*i+i%3] = 1
	}
	all, one := make([]float64, n*dim), make([]float64, dim)
	if err := k.GradientRows(t.Context(), all, x, sigmas, labels); err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{0, 1, maxBatch - 1, maxBatch, n - 1} {
		if err := k.Gradient(t.Context(), one, x[i*dim:(i+1)*dim], sigmas[i], labels[3*i:3*i+3]); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(one, all[i*dim:(i+1)*dim]) {
			t.Errorf("image %d has another gradient alone", i)
		}
	}
	if got := testing.AllocsPerRun(3, func() {
		if err := k.Gradient(t.Context(), one, x[:dim], 1, labels[:3]); err != nil {
			t.Error(err)
		}
	}); got != 0 {
		t.Errorf("%g allocations a call, want none", got)
	}
}

// Batches of every size make few programs, since each keeps its memory.
func TestFewPrograms(t *testing.T) {
	k := rough(t, little())
	const most = 20
	x, p := normals(most*k.config.Dim(), 1), make([]float64, most*k.config.Classes)
	for n := range most + 1 {
		if err := k.LogProbabilities(t.Context(), p[:n*k.config.Classes], x[:n*k.config.Dim()], 1); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(k.programs); got != 5 { // for 1, 2, 4, 8 and 16 images
		t.Errorf("%d programs, want 5", got)
	}
}

// demoSize is the height and width of the tests' images of clothes.
const demoSize = 8

// demo returns n images of the demo set from number from on, in means of 4x4
// pixels.
func demo(t testing.TB, from, n int) (images []float32, labels []int) {
	t.Helper()
	ds, err := data.Demo()
	if err != nil {
		t.Fatal(err)
	}
	shape := ds.Shape()
	raw, full := make([]uint8, shape.Len()), make([]float32, shape.Len())
	block := shape.Width / demoSize
	for i := range n {
		if err := ds.Image(from+i, raw); err != nil {
			t.Fatal(err)
		}
		data.Normalize(full, raw)
		small := make([]float32, demoSize*demoSize)
		for k, v := range full {
			y, x := k/shape.Width/block, k%shape.Width/block
			small[y*demoSize+x] += v / float32(block*block)
		}
		images, labels = append(images, small...), append(labels, ds.Label(from+i))
	}
	return images, labels
}

// clothes is the configuration for the demo set.
func clothes() Config {
	c := DefaultConfig()
	c.Resolution, c.Channels, c.Classes, c.ModelChannels, c.ChannelMult = demoSize, 1, 10, 16, []int{1, 2}
	return c
}

// A few seconds of training find most classes at low noise, fewer at high noise,
// and none where nothing of the image is left.
func TestTrainOnTheDemoSet(t *testing.T) {
	images, labels := demo(t, 0, 4000)
	o := DefaultTrainOptions()
	o.Images, o.Batch, o.LR = 12_800, 32, 6e-3
	var first, last float64
	o.Hook = func(seen int, loss float64) error {
		if seen == o.Batch {
			first = loss
		}
		last = 0.98*last + 0.02*loss
		return nil
	}
	k, err := Train(t.Context(), clothes(), device(t), images, labels, o)
	if err != nil {
		t.Fatal(err)
	}
	// The last layer starts at zero: every class is as likely.
	if math.Abs(first-math.Log(10)) > 1e-5 {
		t.Errorf("the first loss is %g, want ln 10", first)
	}
	t.Logf("%d parameters, loss %.3f", k.Parameters(), last)
	images, labels = demo(t, 4000, 1000)
	// Chance is 0.1, with a standard error of 0.01 for 1000 images.
	for _, c := range []struct{ sigma, low, high float64 }{{0.1, 0.5, 1}, {0.5, 0.45, 1}, {1, 0.33, 0.7}, {80, 0.05, 0.15}} {
		got, err := k.Accuracy(t.Context(), images, labels, c.sigma, 1)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("sigma %g: accuracy %.3f", c.sigma, got)
		if got < c.low || got > c.high {
			t.Errorf("sigma %g: accuracy %.3f, want %g to %g", c.sigma, got, c.low, c.high)
		}
	}
}

func TestTrainingIsRepeatable(t *testing.T) {
	images, labels := demo(t, 0, 20)
	o := DefaultTrainOptions()
	o.Images, o.Batch = 20, 8
	var want []float32
	for range 2 {
		k, err := Train(t.Context(), clothes(), device(t), images, labels, o)
		if err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = k.weights
		}
		if !slices.Equal(k.weights, want) {
			t.Error("a second training gave other weights")
		}
	}
}

func TestSaveAndLoad(t *testing.T) {
	k := rough(t, little())
	path := filepath.Join(t.TempDir(), "classifier.safetensors")
	if err := k.Save(path); err != nil {
		t.Fatal(err)
	}
	again, err := Load(path, k.device)
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(again.Config()) != fmt.Sprint(k.Config()) || !slices.Equal(again.weights, k.weights) {
		t.Error("another classifier was read than was written")
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func(string) string{
		"a truncated file":   func(s string) string { return s[:len(s)-1] },
		"no configuration":   func(s string) string { return strings.Replace(s, MetadataKey, "edm_elsewhere!", 1) },
		"another width":      func(s string) string { return strings.Replace(s, `model_channels\":8`, `model_channels\":4`, 1) },
		"an absurd width":    func(s string) string { return strings.Replace(s, `model_channels\":8`, `model_channels\":7`, 1) },
		"broken JSON":        func(s string) string { return strings.Replace(s, `\"model_channels`, `x"model_channels`, 1) },
		"a renamed tensor":   func(s string) string { return strings.Replace(s, `"norm.bias"`, `"norm.bia5"`, 1) },
		"an infinite config": func(s string) string { return strings.Replace(s, `\"sigma_data\":0.5`, `\"sigma_data\":-.5`, 1) },
	} {
		text := change(string(whole))
		if text == string(whole) {
			t.Fatalf("%s: nothing was changed", what)
		}
		bad := filepath.Join(t.TempDir(), "bad.safetensors")
		if err := os.WriteFile(bad, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if c, err := Load(bad, k.device); err == nil || c != nil {
			t.Errorf("%s was read", what)
		}
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none"), k.device); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

func TestFaults(t *testing.T) {
	var bad Config
	bad.ChannelMult = []int{1, 0}
	err := bad.Validate()
	for _, want := range []string{"channel_mult", "img_resolution", "img_channels", "label_dim", "model_channels", "sigma_data"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not speak of %s", err, want)
		}
	}
	options := TrainOptions{LR: math.NaN(), PMean: math.Inf(1), PStd: -1}
	err = options.Validate()
	for _, want := range []string{"images", "batch", "learning rate", "P_mean", "P_std"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not speak of %s", err, want)
		}
	}
	k := rough(t, little())
	dim := k.config.Dim()
	x, label, ctx := make([]float64, dim), []float32{1, 0, 0}, t.Context()
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	stop := errors.New("enough")
	o := DefaultTrainOptions()
	o.Hook = func(int, float64) error { return stop }
	train := func(ctx context.Context, images []float32, labels ...int) error {
		_, err := Train(ctx, k.config, k.device, images, labels, o)
		return err
	}
	one := make([]float32, dim)
	for what, err := range map[string]error{
		"half an image":       k.Gradient(ctx, x[:dim/2], x[:dim/2], 1, label),
		"a short gradient":    k.Gradient(ctx, x[:dim/2], x, 1, label),
		"no labels":           k.Gradient(ctx, x, x, 1, nil),
		"sigma of zero":       k.Gradient(ctx, x, x, 0, label),
		"sigma of NaN":        k.Gradient(ctx, x, x, math.NaN(), label),
		"two sigmas":          k.GradientRows(ctx, x, x, []float64{1, 2}, label),
		"few probabilities":   k.LogProbabilities(ctx, make([]float64, 2), x, 1),
		"cancelled":           k.LogProbabilities(cancelled, make([]float64, 3), x, 1),
		"no images":           train(ctx, nil),
		"a label too high":    train(ctx, one, 3),
		"no label":            train(ctx, one, -1),
		"images for no label": train(ctx, one, 0, 1),
		"a hook's error":      train(ctx, one, 0),
		"cancelled training":  train(cancelled, one, 0),
	} {
		if err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	if err := train(ctx, one, 0); !errors.Is(err, stop) {
		t.Errorf("a hook's error: %v", err)
	}
	o.Hook = nil
	c := k.config
	c.Classes = 1
	if _, err := Train(ctx, c, k.device, one, []int{0}, o); err == nil {
		t.Error("a single class was accepted")
	}
	if _, err := Train(ctx, k.config, nil, one, []int{0}, o); err == nil || !strings.Contains(err.Error(), "no device") {
		t.Errorf("no device: error %v", err)
	}
}
