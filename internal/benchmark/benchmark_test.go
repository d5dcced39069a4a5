package benchmark

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"edm/checkpoints/safetensors"
	"edm/internal/engine"
	"edm/internal/testkit/detached"
	"edm/model"
	"edm/model/precond"
	"edm/unet"
)

// tiny returns a network with every kind of layer, and a batch.
func tiny(batch int) Config {
	n := unet.DefaultConfig()
	n.ImgResolution, n.InChannels, n.OutChannels = 8, 2, 2
	n.ModelChannels, n.ChannelMult, n.NumBlocks = 8, []int{1, 2}, 1
	n.AttnResolutions, n.Dropout = []int{4}, 0.1
	return Config{Model: model.Config{Network: n, Precond: precond.DefaultEDM()}, Batch: batch}
}

func newTiny(t *testing.T, batch int, d *model.Device) *Workload {
	t.Helper()
	w, err := New(tiny(batch), d)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// TestRecord holds the recorded gradients against differences of the recorded
// loss: along the gradient a small step must change the loss by its norm.
func TestRecord(t *testing.T) {
	record := func(move func(name string, weights []float32)) *safetensors.File {
		w := newTiny(t, 2, model.Portable())
		for _, p := range w.Model().Layout().Params {
			move(p.Name, p.View(w.weights))
		}
		f, err := w.Record()
		if err != nil {
			t.Fatal(err)
		}
		if w.training.batches[0].Dropout != 0.1 {
			t.Errorf("dropout is %g afterwards, want 0.1", w.training.batches[0].Dropout)
		}
		return f
	}
	f := record(func(string, []float32) {})
	names := []string{"in.x", "out.D", "in.images", "in.noise", "in.sigma", "out.loss"}
	norm := 0.0
	for _, p := range newTiny(t, 2, model.Portable()).Model().Layout().Params {
		names = append(names, "grad."+p.Name)
		for _, v := range floats(t, f, "grad."+p.Name) {
			norm += v * v
		}
	}
	norm = math.Sqrt(norm)
	for _, name := range names {
		if _, ok := f.Tensors[name]; !ok {
			t.Errorf("no tensor %s", name)
		}
	}
	if len(names) != len(f.Tensors) {
		t.Errorf("%d tensors, want %d", len(f.Tensors), len(names))
	}
	const step = 1e-3
	moved := func(sign float64) float64 {
		g := record(func(name string, weights []float32) {
			for i, d := range floats(t, f, "grad."+name) {
				weights[i] += float32(sign * step * d / norm)
			}
		})
		return total(floats(t, g, "out.loss"), tiny(2).Model.Dim())
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

// A snapshot of a workload is a workload with the same numbers.
func TestOpen(t *testing.T) {
	w := newTiny(t, 3, model.Portable())
	f, err := w.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := safetensors.Write(&file, f); err != nil {
		t.Fatal(err)
	}
	path := writeFile(t, file.Bytes())
	again, err := Open(path, 3, model.Portable())
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []*Workload{w, again} {
		if err := w.Run(Forward); err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff(w.d, again.d); d != "" {
		t.Error(d)
	}
	for _, path := range []string{filepath.Join(t.TempDir(), "none"), writeFile(t, []byte("no snapshot"))} {
		if _, err := Open(path, 3, model.Portable()); err == nil {
			t.Errorf("%s: no error", path)
		}
	}
}

func writeFile(t *testing.T, text []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "snapshot.safetensors")
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// A training step moves the weights, by Adam's first step at most the learning
// rate each, and an evaluation does not.
func TestRun(t *testing.T) {
	w := newTiny(t, 3, model.Portable())
	before := slices.Clone(w.weights)
	if err := w.Run(Forward); err != nil || !slices.Equal(before, w.weights) {
		t.Errorf("forward: error %v, or the weights moved", err)
	}
	if err := w.Run(Training); err != nil {
		t.Fatal(err)
	}
	moved := 0
	for i, v := range w.weights {
		if d := math.Abs(float64(v - before[i])); d > 1.01e-4 {
			t.Fatalf("weight %d moved by %g, want at most 1e-4", i, d)
		} else if d > 0 {
			moved++
		}
	}
	if moved < len(before)/2 {
		t.Errorf("%d of %d weights moved", moved, len(before))
	}
	d := slices.Clone(w.d)
	if err := w.Run(Forward); err != nil || slices.Equal(d, w.d) {
		t.Errorf("forward after a step: error %v, or D is that of the old weights", err)
	}
	before = slices.Clone(w.weights)
	var drawn [2][]float64
	for i := range drawn {
		if err := w.Run(Sampling); err != nil || !slices.Equal(before, w.weights) {
			t.Errorf("sample: error %v, or the weights moved", err)
		}
		drawn[i] = slices.Clone(w.sampling.x)
	}
	if n := w.sampling.sampler.NFE(); n != NFE || !slices.Equal(drawn[0], drawn[1]) || slices.Equal(drawn[0], w.sampling.latents) {
		t.Errorf("%d evaluations, want %d, and the same images twice", n, NFE)
	}
	if err := w.Run("both"); err == nil {
		t.Error("mode both: no error")
	}
}

// A training step sends its pixels as bytes, and a few numbers for each image.
func TestTrainingSendsBytes(t *testing.T) {
	const batch, numbers, fixed = 3, 64, 32 // numbers: bytes an image, fixed: a step
	b := &detached.Backend{}
	w := newTiny(t, batch, model.NewDevice(b))
	pixels := int64(batch * w.Model().Config().Dim())
	for step := range 4 {
		before := b.Sent()
		if err := w.Run(Training); err != nil {
			t.Fatal(err)
		}
		if sent := b.Sent() - before; sent < pixels || sent > pixels+batch*numbers+fixed {
			t.Errorf("step %d sent %d bytes for %d pixels", step, sent, pixels)
		}
	}
	one, two := w.training.batches[0], w.training.batches[1]
	if slices.Equal(one.Pixels, two.Pixels) || !slices.Equal(one.Counter, []int64{12, 13, 14}) || !slices.Equal(two.Counter, []int64{9, 10, 11}) {
		t.Errorf("images %v and %v, want those of the steps to come and before, with pixels of their own", one.Counter, two.Counter)
	}
}

// Two presets are equal, and no parameter is left without a size that a check
// would notice.
func TestWeights(t *testing.T) {
	c, err := Preset("demo", 1)
	if err != nil {
		t.Fatal(err)
	}
	var all [2]*Workload
	for i := range all {
		if all[i], err = New(c, model.Portable()); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(all[0].weights, all[1].weights) {
		t.Error("two workloads of a preset have different weights")
	}
	for _, p := range all[0].Model().Layout().Params {
		v := p.View(all[0].weights)
		if top := max(slices.Max(v), -slices.Min(v)); !(top > 0.01 && top < 3) {
			t.Errorf("%s: largest weight %g, want 0.01 to 3", p.Name, top)
		}
	}
	if _, err := Preset("huge", 1); err == nil {
		t.Error("preset huge: no error")
	}
}

func TestPlan(t *testing.T) {
	w := newTiny(t, 3, model.Portable())
	var plans [2]Plan
	for i, mode := range []Mode{Training, Forward} {
		var err error
		if plans[i], err = w.Plan(mode); err != nil {
			t.Fatal(err)
		}
	}
	// Two products of the backward pass for one of the forward pass, but none
	// by the image, so a little less than three times.
	if r := plans[0].GFLOP / plans[1].GFLOP; !(r > 2.7 && r < 3) {
		t.Errorf("a training step is %g times an evaluation, want just under 3", r)
	}
	if plans[0].ArenaBytes <= plans[1].ArenaBytes || plans[1].ArenaBytes <= 0 {
		t.Errorf("arenas of %d and %d bytes", plans[0].ArenaBytes, plans[1].ArenaBytes)
	}
	c := tiny(3)
	c.Recompute = model.Recompute{Levels: []int{8, 4}}
	less, err := New(c, model.Portable())
	if err != nil {
		t.Fatal(err)
	}
	if p, err := less.Plan(Training); err != nil || p.ArenaBytes >= plans[0].ArenaBytes || !near(p.GFLOP, plans[0].GFLOP) {
		t.Errorf("recomputed: %d bytes and %g GFLOP, kept: %d and %g (error %v); want less and the same",
			p.ArenaBytes, p.GFLOP, plans[0].ArenaBytes, plans[0].GFLOP, err)
	}
	one, err := newTiny(t, 1, model.Portable()).Plan(Forward)
	if err != nil || math.Abs(one.GFLOP-plans[1].GFLOP) > 1e-12 {
		t.Errorf("an image of one is %g GFLOP, of three %g (error %v)", one.GFLOP, plans[1].GFLOP, err)
	}
}

func TestMeasure(t *testing.T) {
	d, err := model.OpenCPU(2)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	r, err := Measure(t.Context(), tiny(2), d, Options{Rounds: 3, Length: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if r.Batch != 2 || r.Threads != 2 || r.Parameters != newTiny(t, 1, d).Model().Layout().Count || r.Instructions == "" || !(r.FMAPeak > 0) {
		t.Errorf("result %+v", r)
	}
	for _, s := range []Speed{r.Forward, r.Train} {
		if len(s.Rounds) != 3 || !slices.Contains(s.Rounds, s.ImgPerS) || s.Best < s.ImgPerS || s.ImgPerS < slices.Min(s.Rounds) {
			t.Errorf("rounds %v, median %g, best %g", s.Rounds, s.ImgPerS, s.Best)
		}
		if !near(s.GFLOPS, s.ImgPerS*s.GFLOP) || !near(s.Share*r.FMAPeak, s.GFLOPS) || !(s.GFLOPS > 0) {
			t.Errorf("%g GFLOP/s at %g img/s of %g, share %g of %g", s.GFLOPS, s.ImgPerS, s.GFLOP, s.Share, r.FMAPeak)
		}
	}
	if runtime.GOOS == "linux" && !(r.PeakRSSMiB > float64(r.Train.ArenaBytes)/(1<<20)) {
		t.Errorf("%g MiB resident with an arena of %d bytes", r.PeakRSSMiB, r.Train.ArenaBytes)
	}
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*math.Abs(b) }

func TestMeasureFaults(t *testing.T) {
	good := Options{Rounds: 1}
	for name, f := range map[string]func(c *Config, o *Options){
		"no batch":        func(c *Config, _ *Options) { c.Batch = 0 },
		"no rounds":       func(_ *Config, o *Options) { o.Rounds = 0 },
		"negative length": func(_ *Config, o *Options) { o.Length = -1 },
		"no network":      func(c *Config, _ *Options) { c.Model.Network.ModelChannels = 0 },
	} {
		c, o := tiny(1), good
		f(&c, &o)
		if _, err := Measure(t.Context(), c, model.Portable(), o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, err := Measure(stopped, tiny(1), model.Portable(), good); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: error %v", err)
	}
	if r, err := Measure(t.Context(), tiny(1), model.Portable(), good); err != nil || r.Threads != 1 || r.Instructions != "portable" {
		t.Errorf("portable: %+v, error %v", r, err)
	}
}

func TestMedian(t *testing.T) {
	v := []float64{3, 1, 2}
	if m := median(v); m != 2 || v[0] != 3 {
		t.Errorf("median %g of %v, want 2 and no change", m, v)
	}
	if m := median([]float64{4, 1, 3, 2}); m != 2 {
		t.Errorf("median of four %g, want the lower of two, 2", m)
	}
}

func TestProfile(t *testing.T) {
	w := newTiny(t, 2, model.Portable())
	for mode, kinds := range map[Mode][]string{
		Training: {"Conv2D 3x3", "Conv2DWeights 3x3", "Attn", "Adam and EMA"},
		Forward:  {"Conv2D 3x3", "Attn"},
	} {
		for _, shapes := range []bool{false, true} {
			p, err := w.Profile(mode, 2, shapes)
			if err != nil {
				t.Fatal(err)
			}
			rows, total := p.Rows()
			var sum Row
			for _, r := range rows {
				sum.Calls, sum.Time, sum.Flops = sum.Calls+r.Calls, sum.Time+r.Time, sum.Flops+r.Flops
			}
			if sum.Calls != total.Calls || sum.Time != total.Time || !near(sum.Flops, total.Flops) || !(total.Flops > 0) {
				t.Errorf("%s: rows sum to %+v, total is %+v", mode, sum, total)
			}
			plan, err := w.Plan(mode)
			if err != nil || !near(total.Flops, 2e9*plan.GFLOP) {
				t.Errorf("%s: %g operations, the plan has %g (error %v)", mode, total.Flops, 2e9*plan.GFLOP, err)
			}
			var text bytes.Buffer
			if err := p.Print(&text); err != nil {
				t.Fatal(err)
			}
			for _, want := range append(kinds, string(mode)+", batch 2", "total") {
				if !strings.Contains(text.String(), want) {
					t.Errorf("%s, shapes %v: no %q in\n%s", mode, shapes, want, text.String())
				}
			}
			if got := strings.Contains(text.String(), "[2 8 8 8]"); got != shapes {
				t.Errorf("%s: shapes in the table: %v, want %v", mode, got, shapes)
			}
		}
	}
}

// Every operation is timed at its fastest.
func TestProfileKeepsTheFastest(t *testing.T) {
	p := &Profile{}
	for _, ms := range [][2]time.Duration{{5, 1}, {3, 2}, {4, 9}} {
		if err := p.step(func() error {
			p.add(Row{Name: "a", Time: ms[0] * time.Millisecond, Flops: 2, Bytes: 1})
			p.add(Row{Name: "b", Time: ms[1] * time.Millisecond, Bytes: 8})
			p.add(Row{Name: "a", Time: time.Millisecond, Flops: 3, Bytes: 1})
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	rows, total := p.Rows()
	want := []Row{{"a", 2, 4 * time.Millisecond, 5, 2}, {"b", 1, time.Millisecond, 0, 8}}
	if d := cmp.Diff(want, rows); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(Row{"total", 3, 5 * time.Millisecond, 5, 10}, total); d != "" {
		t.Error(d)
	}
	if p.steps != 3 {
		t.Errorf("%d steps, want 3", p.steps)
	}
}

// metered is a device whose peaks are known.
type metered struct {
	*detached.Backend
	peaks engine.Peaks
	err   error
}

func (m *metered) Peaks() (engine.Peaks, error) { return m.peaks, m.err }

// On a device that can be measured each operation of a training step has its
// time, and its share of what bounds it.
func TestMeasureOperations(t *testing.T) {
	m := &metered{Backend: &detached.Backend{}, peaks: engine.Peaks{Product: 4e9, Products: map[string]float64{"fp32": 4e9}, Copy: 2e9}}
	r, err := Measure(t.Context(), tiny(2), model.NewDevice(m), Options{Rounds: 1})
	if err != nil {
		t.Fatal(err)
	}
	if r.FMAPeak != 4 || !near(r.Train.Share, r.Train.GFLOPS/4) || r.Peaks.Copy != 2e9 {
		t.Errorf("%+v, want shares of the device's peaks", r)
	}
	flops, names := 0.0, map[string]bool{}
	for _, o := range r.Operations {
		names[o.Name] = true
		flops += o.Flops
		work, peak, limit := o.Bytes, 2e9, Memory
		if o.Flops > 0 {
			work, peak, limit = o.Flops, 4e9, Products
		}
		if o.Limit != limit || !(o.Share > 0) || !near(o.Share*peak*o.Time.Seconds(), work) {
			t.Errorf("%+v: want a share of %g", o, peak)
		}
	}
	for _, name := range []string{"Conv2D 3x3", "AttnGrad", "GNApply", "Adam and EMA"} {
		if !names[name] {
			t.Errorf("%s is missing in %v", name, names)
		}
	}
	if plan := r.Train.GFLOP * 2e9; !near(flops, plan) {
		t.Errorf("the operations have %g operations, planned %g", flops, plan)
	}
	m.err = errors.New("no clock")
	if _, err := Measure(t.Context(), tiny(2), model.NewDevice(m), Options{Rounds: 1}); !errors.Is(err, m.err) {
		t.Errorf("a device that cannot be measured: %v", err)
	}
}
