package main

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"edm/internal/safetensors"
	"edm/model"
	"edm/model/precond"
	"edm/unet"
)

// tiny writes a snapshot of a network with every kind of layer and returns its
// path and model.
func tiny(t *testing.T) (string, *model.Model) {
	t.Helper()
	n := unet.DefaultConfig()
	n.ImgResolution, n.InChannels, n.OutChannels = 8, 2, 2
	n.ModelChannels, n.ChannelMult, n.NumBlocks = 8, []int{1, 2}, 1
	n.AttnResolutions, n.Dropout = []int{4}, 0.1
	m, err := model.New(model.Config{Network: n, Precond: precond.DefaultEDM()}, model.Portable())
	if err != nil {
		t.Fatal(err)
	}
	weights := make([]float32, m.Layout().Size)
	if err := m.Layout().Init(weights, 3); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "tiny.safetensors")
	w := &workload{model: m, weights: weights}
	if err := w.writeSnapshot(path); err != nil {
		t.Fatal(err)
	}
	return path, m
}

// start parses and runs a command line and returns what it wrote.
func start(t *testing.T, input string, args ...string) string {
	t.Helper()
	c, err := parse(args, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := run(c, strings.NewReader(input), &out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestServe(t *testing.T) {
	path, m := tiny(t)
	input := `{"do":"train","steps":2}
{"do":"forward","steps":3}
{"do":"sleep","steps":1}
{"do":"train","steps":0}
{"do":"train","step":1}
`
	lines := strings.Split(strings.TrimSpace(start(t, input, "-network", path, "-batch", "3")), "\n")
	if len(lines) != 6 {
		t.Fatalf("%d lines, want 6: %q", len(lines), lines)
	}
	var h hello
	if err := json.Unmarshal([]byte(lines[0]), &h); err != nil {
		t.Fatal(err)
	}
	if h.Parameters != m.Layout().Count || h.Batch != 3 || h.Threads < 1 {
		t.Errorf("hello = %+v, want %d parameters and batch 3", h, m.Layout().Count)
	}
	// Two products of the backward pass for one of the forward pass, but none
	// by the image, so a little less than three times.
	if r := h.TrainGFLOP / h.ForwardGFLOP; !(r > 2.7 && r < 3) {
		t.Errorf("a training step is %g times an evaluation, want just under 3", r)
	}
	for i, images := range []int{6, 9, 0, 0, 0} {
		var a answer
		if err := json.Unmarshal([]byte(lines[1+i]), &a); err != nil {
			t.Fatal(err)
		}
		if a.Images != images || (a.Error == "") != (images > 0) || (a.Seconds > 0) != (images > 0) {
			t.Errorf("answer %d is %+v, want %d images", i, a, images)
		}
	}
}

// TestCheck holds the recorded gradients against differences of the recorded
// loss: along the gradient a small step must change the loss by its norm.
func TestCheck(t *testing.T) {
	path, m := tiny(t)
	record := func(network string) *safetensors.File {
		out := filepath.Join(t.TempDir(), "check.safetensors")
		start(t, "", "-network", network, "-batch", "2", "-check", out)
		f, err := safetensors.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	f := record(path)
	snapshot, err := safetensors.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	norm := 0.0
	for _, p := range m.Layout().Params {
		names = append(names, "grad."+p.Name)
		for _, v := range floats(t, f, "grad."+p.Name) {
			norm += v * v
		}
	}
	names = append(names, "in.x", "out.D", "in.images", "in.noise", "in.sigma", "out.loss")
	for _, name := range names {
		if _, ok := f.Tensors[name]; !ok {
			t.Errorf("no tensor %s", name)
		}
	}
	if len(names) != len(f.Tensors) {
		t.Errorf("%d tensors, want %d", len(f.Tensors), len(names))
	}
	norm = math.Sqrt(norm)
	const step = 1e-3
	moved := func(sign float64) float64 {
		g := *snapshot
		g.Tensors = map[string]safetensors.Tensor{}
		for name, w := range snapshot.Tensors {
			v := floats(t, snapshot, name)
			for i, d := range floats(t, f, "grad."+name) {
				v[i] += sign * step * d / norm
			}
			g.Tensors[name] = safetensors.FromFloat32s(narrow(v), w.Shape...)
		}
		to := filepath.Join(t.TempDir(), "moved.safetensors")
		if err := writeFile(to, &g); err != nil {
			t.Fatal(err)
		}
		return total(floats(t, record(to), "out.loss"), m.Config().Dim())
	}
	slope := (moved(1) - moved(-1)) / (2 * step)
	if math.Abs(slope-norm) > 0.02*norm {
		t.Errorf("the loss changes by %g a unit step along the gradient, want its norm %g", slope, norm)
	}
}

// total is the mean over images of the sum over pixels, from means over pixels.
func total(losses []float64, dim int) float64 {
	var sum float64
	for _, l := range losses {
		sum += l
	}
	return sum / float64(len(losses)) * float64(dim)
}

func floats(t *testing.T, f *safetensors.File, name string) []float64 {
	t.Helper()
	v, err := f.Tensors[name].Float64s()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return v
}

func narrow(v []float64) []float32 {
	out := make([]float32, len(v))
	for i, x := range v {
		out[i] = float32(x)
	}
	return out
}

func TestProfile(t *testing.T) {
	path, _ := tiny(t)
	for _, by := range []string{"kind", "shape"} {
		text := start(t, "", "-network", path, "-batch", "2", "-profile", "both", "-steps", "2", "-by", by)
		for _, want := range []string{"training, batch 2", "forward, batch 2", "Conv2DWeights 3x3", "Adam and EMA", "total"} {
			if !strings.Contains(text, want) {
				t.Errorf("-by %s: no %q in\n%s", by, want, text)
			}
		}
		if got := strings.Contains(text, "[2 8 8 8]"); got != (by == "shape") {
			t.Errorf("-by %s: shapes in the table: %v", by, got)
		}
	}
}

// TestRandomIsReproducible: two presets are equal, and no parameter is left
// without a size that a check would notice.
func TestRandomIsReproducible(t *testing.T) {
	m, a, err := random("demo", model.Portable())
	if err != nil {
		t.Fatal(err)
	}
	_, b, err := random("demo", model.Portable())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(a, b); d != "" {
		t.Error(d)
	}
	for _, p := range m.Layout().Params {
		v := p.View(a)
		if top := max(slices.Max(v), -slices.Min(v)); !(top > 0.01 && top < 3) {
			t.Errorf("%s: largest weight %g, want 0.01 to 3", p.Name, top)
		}
	}
}

func TestBadCommandLines(t *testing.T) {
	for _, args := range [][]string{
		{},
		{"-preset", "demo", "-network", "x"},
		{"-preset", "demo", "-batch", "0"},
		{"-preset", "demo", "-threads", "-1"},
		{"-preset", "demo", "-profile", "all"},
		{"-preset", "demo", "-by", "time"},
		{"-preset", "demo", "rest"},
	} {
		var said bytes.Buffer
		if _, err := parse(args, &said); err == nil || said.Len() == 0 {
			t.Errorf("%q: error %v, message %q, want both", args, err, said.String())
		}
	}
	for _, args := range [][]string{
		{"-preset", "huge"},
		{"-network", filepath.Join(t.TempDir(), "none.safetensors")},
	} {
		c, err := parse(args, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		if err := run(c, strings.NewReader(""), io.Discard); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
}
