package train

import (
	"context"
	"errors"
	"math"
	"os"
	"runtime"
	"strings"
	"testing"

	"edm/checkpoints"
	"edm/data"
	"edm/internal/rng"
	"edm/internal/sysmem"
	"edm/model"
	"edm/unet"
)

// blobs is a labelled dataset of 8x8 images: two kinds of bright square.
type blobs struct{ n int }

func (b blobs) Name() string         { return "blobs" }
func (b blobs) Len() int             { return b.n }
func (b blobs) Shape() data.Shape    { return data.Shape{Channels: 1, Height: 8, Width: 8} }
func (b blobs) NumClasses() int      { return 2 }
func (b blobs) ClassNames() []string { return []string{"left", "right"} }
func (b blobs) Label(i int) int      { return i % 2 }

func (b blobs) Image(i int, dst []uint8) error {
	r := rng.New(1, rng.Init, uint64(i))
	clear(dst)
	x, y := 4*(i%2)+r.Intn(2), r.Intn(5)
	for k := range 9 {
		dst[(y+k/3)*8+x+k%3] = uint8(200 + r.Intn(50))
	}
	return nil
}

// quick is a configuration with every option of training whose steps take
// milliseconds.
func quick(t *testing.T) Config {
	t.Helper()
	c, err := Preset("demo")
	if err != nil {
		t.Fatal(err)
	}
	c.Cond, c.Dropout, c.LabelDropout, c.XFlip, c.Augment = true, 0.1, 0.2, true, 0.3
	c.ModelChannels, c.ChannelMult, c.NumBlocks, c.AttnResolutions = 16, []int{1, 2}, 1, []int{4}
	c.Batch, c.Micro, c.LR, c.LRRampup, c.EMA = 16, 8, 1e-3, 0.0001, 0.0002
	c.Validation, c.Tick, c.Snap, c.Dump, c.Keep = 8, 1, 1, 1, 2
	c.Duration = 0.000128
	c.SetData(blobs{200})
	return c
}

func device(t *testing.T, threads int) *model.Device {
	t.Helper()
	d, err := model.OpenCPU(threads)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func options(t *testing.T, out string) Options {
	return Options{OutDir: out, Dataset: blobs{200}, Device: device(t, 2)}
}

func mustRun(t *testing.T, c Config, o Options) Result {
	t.Helper()
	r, err := Run(context.Background(), c, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func contents(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// normOf returns the Euclidean norm of a flat buffer.
func normOf(t *testing.T, d *model.Device, x []float32) float64 {
	t.Helper()
	n, err := d.Norm(x)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// firstStepper returns a stepper whose microbatches are those of the first batch.
func firstStepper(t *testing.T, c Config) *stepper {
	t.Helper()
	mc, err := c.Model()
	if err != nil {
		t.Fatal(err)
	}
	d := device(t, 2)
	m, err := model.New(mc, d)
	if err != nil {
		t.Fatal(err)
	}
	s, err := newStepper(c, m, d)
	if err != nil {
		t.Fatal(err)
	}
	rng.FillNormal(s.weights.raw, 9, rng.Init, 0) // away from the nearly-zero initial branches
	for i := range s.weights.raw {
		s.weights.raw[i] *= 0.1
	}
	l, err := data.NewLoader(blobs{200}, data.LoaderOptions{Batch: c.Batch, XFlip: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	b, err := l.Next(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	s.source = &fixed{draws: s.draws, batch: b}
	return s
}

// newStats returns the statistics of a configuration's objective.
func newStats(t *testing.T, c Config) stats {
	t.Helper()
	o, err := c.Objective()
	if err != nil {
		t.Fatal(err)
	}
	return stats{bins: bins{axis: newAxis(o)}}
}

// distance returns |a-b| / |b|.
func distance(a, b []float32) float64 {
	var diff, size float64
	for i, v := range b {
		diff += math.Pow(float64(a[i])-float64(v), 2)
		size += float64(v) * float64(v)
	}
	return math.Sqrt(diff / size)
}

// Any split into microbatches sees the same draws and gives the same gradient
// to rounding.
func TestMicrobatchesAgree(t *testing.T) {
	gradient := func(micro int) ([]float32, float64) {
		c := quick(t)
		c.Micro = micro
		s := firstStepper(t, c)
		st := newStats(t, c)
		if err := s.gradient(t.Context(), &st); err != nil {
			t.Fatal(err)
		}
		return s.weights.grad, st.bins.mean()
	}
	want, loss := gradient(16)
	for _, micro := range []int{1, 4, 8} {
		got, l := gradient(micro)
		if e := distance(got, want); !(e <= 1e-5) {
			t.Errorf("microbatches of %d: the gradient differs by %.2e", micro, e)
		}
		if math.Abs(l-loss) > 1e-6*loss {
			t.Errorf("microbatches of %d: loss %.8g, want %.8g", micro, l, loss)
		}
	}
}

// Clipping scales the whole gradient to the limit; below it nothing changes.
func TestClipNorm(t *testing.T) {
	first := func(limit float64) []float32 { // first moment after one step: (1-beta1) times the gradient
		c := quick(t)
		c.ClipNorm = limit
		s := firstStepper(t, c)
		st := newStats(t, c)
		if err := s.advance(t.Context(), &st); err != nil {
			t.Fatal(err)
		}
		for i := range s.weights.m {
			s.weights.m[i] /= float32(1 - c.Beta1)
		}
		return s.weights.m
	}
	d := device(t, 1)
	free := first(0)
	norm := normOf(t, d, free)
	if high := first(2 * norm); distance(high, free) != 0 {
		t.Error("a limit above the norm changes the gradient")
	}
	low := first(norm / 10)
	if got := normOf(t, d, low); math.Abs(got-norm/10) > 1e-4*norm {
		t.Errorf("clipped to %.6g, want %.6g", got, norm/10)
	}
	for i := range low {
		low[i] *= 10
	}
	if e := distance(low, free); e > 1e-5 {
		t.Errorf("clipping changes the direction by %.2e", e)
	}
}

// A plan that the memory cannot hold is refused, not attempted: before the weights,
// which are gigabytes here, are allocated.
func TestPlanBeyondMemory(t *testing.T) {
	c := quick(t)
	c.ModelChannels, c.Batch, c.Micro = 1024, 1<<16, 1<<16
	if _, ok := sysmem.Available(); !ok {
		t.Log("this system does not tell its free memory")
		return
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := Plan(c, device(t, 1)); err == nil || !errors.As(err, new(*model.MemoryError)) {
		t.Errorf("got %v", err)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 256<<20 {
		t.Errorf("%d MiB were allocated before the plan was refused", n>>20)
	}
}

func TestTrainingLearns(t *testing.T) {
	c := quick(t)
	c.Dropout, c.LabelDropout, c.Augment, c.Duration, c.Tick = 0, 0, 0, 0.004, 2
	var ticks []Tick
	o := options(t, t.TempDir())
	o.Hooks.Tick = func(x Tick) { ticks = append(ticks, x) }
	mustRun(t, c, o)
	if len(ticks) != 2 {
		t.Fatalf("%d ticks in 4 kimg of 2 each", len(ticks))
	}
	last := ticks[1]
	if *last.ValRaw > 0.6*ticks[0].Loss || *last.ValEMA > 0.6*ticks[0].Loss || last.Loss > 0.8*ticks[0].Loss {
		t.Errorf("loss %.3f then %.3f, validation %.3f raw and %.3f averaged: the network does not learn",
			ticks[0].Loss, last.Loss, *last.ValRaw, *last.ValEMA)
	}
	if len(last.LossBins) < 5 || len(last.ValBins) < 3 {
		t.Errorf("%d and %d noise levels in the report", len(last.LossBins), len(last.ValBins))
	}
}

// A loss that is not a number stops the run, names the image and its noise
// level, and leaves the last state alone.
func TestNonFiniteLossStops(t *testing.T) {
	c := quick(t)
	c.LR, c.LRRampup = 1e30, 0
	o := options(t, t.TempDir())
	r, err := Run(context.Background(), c, o)
	if !errors.Is(err, ErrNotFinite) || !strings.Contains(err.Error(), "sigma") && !strings.Contains(err.Error(), "gradient") {
		t.Fatalf("got %v", err)
	}
	_, f, err := checkpoints.Latest(r.Dir, checkpoints.State, nil)
	if err != nil || f.Metadata[keyNImg] != "0" {
		t.Errorf("last state: %v, %v", f, err)
	}
}

func TestConfigFaultsAreAllReported(t *testing.T) {
	c := quick(t)
	c.Batch, c.Micro, c.LR, c.Beta1, c.PStd, c.Resolution, c.Keep = 10, 4, math.NaN(), 1, -1, 9, 0
	err := c.Validate()
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"micro is 4", "lr is NaN", "beta1 is 1", "P_std is -1", "img_resolution 9", "keep is 0"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in:\n%v", want, err)
		}
	}
}

func TestConfigYAMLRoundTrip(t *testing.T) {
	c := quick(t)
	text, err := c.YAML()
	if err != nil {
		t.Fatal(err)
	}
	back, err := ParseConfig(text, Config{})
	if err != nil {
		t.Fatal(err)
	}
	lines, err := back.changes(c)
	if err != nil || len(lines) != 0 || back.Duration != c.Duration {
		t.Errorf("%v %v", lines, err)
	}
	for _, text := range []string{"", "# nothing\n", "---\n"} {
		if got, err := ParseConfig([]byte(text), c); err != nil || got.Batch != c.Batch || got.Preset != c.Preset {
			t.Errorf("an empty file %q: batch %d, %v", text, got.Batch, err)
		}
	}
	for _, text := range []string{"batch: 8.5", "seed: 1.7", "channel_mult: [1.5, 2]"} {
		if _, err := ParseConfig([]byte(text), c); err == nil || !strings.Contains(err.Error(), "whole number") {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := ParseConfig([]byte("batch: 4\n---\nbogus: 5\n"), c); err == nil {
		t.Error("a second document was accepted")
	}
	if _, err := ParseConfig([]byte("batch: 4\nbach: 5\n"), c); err == nil || !strings.Contains(err.Error(), "2") {
		t.Errorf("unknown key: %v, want an error that names line 2", err)
	}
}

func TestPresetsAreValid(t *testing.T) {
	for _, name := range unet.PresetNames() {
		c, err := Preset(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Preset("x"); err == nil {
		t.Error("an unknown preset was accepted")
	}
}
