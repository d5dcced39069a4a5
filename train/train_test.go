package train

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edm/checkpoints"
	"edm/data"
	"edm/internal/rng"
	"edm/internal/sysmem"
	"edm/model"
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
	c.Cond, c.Dropout, c.LabelDropout, c.XFlip = true, 0.1, 0.2, true
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

// N images and then N more give the same snapshot file as 2N at once, byte for
// byte, whatever the threads.
func TestResumeIsBitExact(t *testing.T) {
	c := quick(t)
	c.Duration = 0.000256
	whole := mustRun(t, c, options(t, t.TempDir()))
	for _, threads := range []int{1, 3} {
		o := options(t, t.TempDir())
		o.Device = device(t, threads)
		half := c
		half.Duration = c.Duration / 2
		first := mustRun(t, half, o)
		if first.NImg != 128 {
			t.Fatalf("stopped at %d images, want 128", first.NImg)
		}
		o.Resume = first.Dir
		second := mustRun(t, c, o)
		if second.Dir != first.Dir {
			t.Errorf("resumed in %s, want %s", second.Dir, first.Dir)
		}
		if !bytes.Equal(contents(t, second.Snapshot), contents(t, whole.Snapshot)) {
			t.Errorf("%d threads: the resumed run's snapshot differs from the uninterrupted one's", threads)
		}
	}
}

// A cancelled run stops after a whole step with a state, and continues exactly.
func TestCancelledRunContinues(t *testing.T) {
	c := quick(t)
	whole := mustRun(t, c, options(t, t.TempDir()))
	o := options(t, t.TempDir())
	ctx, cancel := context.WithCancel(context.Background())
	o.Hooks.Step = func(s Step) {
		if s.NImg >= 48 {
			cancel()
		}
	}
	r, err := Run(ctx, c, o)
	if err != nil || r.Done || r.NImg != 48 {
		t.Fatalf("cancelled run: %+v, %v; want 48 images, not done, no error", r, err)
	}
	o.Hooks.Step = nil
	o.Resume = filepath.Join(r.Dir, checkpoints.State.FileName(48))
	done := mustRun(t, c, o)
	if !done.Done || !bytes.Equal(contents(t, done.Snapshot), contents(t, whole.Snapshot)) {
		t.Error("the continued run's snapshot differs from the uninterrupted one's")
	}
}

// firstStepper returns a stepper and its first batch.
func firstStepper(t *testing.T, c Config) (*stepper, *data.Batch) {
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
	return s, b
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
		s, b := firstStepper(t, c)
		st := stats{bins: bins{loss: c.Loss()}}
		if err := s.gradient(b, &st); err != nil {
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
		s, b := firstStepper(t, c)
		st := stats{bins: bins{loss: c.Loss()}}
		if err := s.advance(b, &st); err != nil {
			t.Fatal(err)
		}
		for i := range s.weights.m {
			s.weights.m[i] /= float32(1 - c.Beta1)
		}
		return s.weights.m
	}
	d := device(t, 1)
	free := first(0)
	norm := d.Norm(free)
	if high := first(2 * norm); distance(high, free) != 0 {
		t.Error("a limit above the norm changes the gradient")
	}
	low := first(norm / 10)
	if got := d.Norm(low); math.Abs(got-norm/10) > 1e-4*norm {
		t.Errorf("clipped to %.6g, want %.6g", got, norm/10)
	}
	for i := range low {
		low[i] *= 10
	}
	if e := distance(low, free); e > 1e-5 {
		t.Errorf("clipping changes the direction by %.2e", e)
	}
}

// A run continued from an older state with other options leaves nothing of the
// course it left in the way: its own newest state resumes without a word.
func TestResumeFromAnOlderStateTakesOver(t *testing.T) {
	c := quick(t)
	c.Duration, c.Keep = 0.003, 3
	o := options(t, t.TempDir())
	r := mustRun(t, c, o)
	o.Resume, o.Force = filepath.Join(r.Dir, checkpoints.State.FileName(1008)), true
	changed := c
	changed.LR, changed.Duration, changed.Keep = 5e-4, 0.0015, 1
	mustRun(t, changed, o)
	again, err := LoadConfig(r.Dir)
	if err != nil || again.LR != changed.LR {
		t.Fatalf("lr %v, %v; want the new course's", again.LR, err)
	}
	o.Resume, o.Force = r.Dir, false
	again.Duration = 0.002
	if end := mustRun(t, again, o); end.NImg != 2000 {
		t.Errorf("continued to %d images, want 2000", end.NImg)
	}
}

// The configuration comes with the state: a run killed after a forced resume,
// before its first tick, and a state copied elsewhere, resume as they are.
func TestConfigurationFollowsTheState(t *testing.T) {
	c := quick(t)
	o := options(t, t.TempDir())
	r := mustRun(t, c, o)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	changed := c
	changed.LR, changed.Duration = 7e-4, 2*c.Duration
	o.Resume, o.Force = r.Dir, true
	if _, err := Run(ctx, changed, o); err != nil {
		t.Fatal(err)
	}
	if got, err := LoadConfig(r.Dir); err != nil || got.LR != 7e-4 || got.Duration != changed.Duration {
		t.Errorf("lr %v, duration %v, %v", got.LR, got.Duration, err)
	}
	name := checkpoints.State.FileName(r.NImg)
	alone := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(alone, contents(t, filepath.Join(r.Dir, name)), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := LoadConfig(alone)
	if err != nil || got.LR != 7e-4 {
		t.Errorf("a state by itself: lr %v, %v", got.LR, err)
	}
	if _, err := LoadConfig(t.TempDir()); err == nil {
		t.Error("an empty folder has a configuration")
	}
}

// Dumps fall due also when a step is longer than a tick.
func TestLongStepsStillDump(t *testing.T) {
	c := quick(t)
	c.Batch, c.Micro, c.Dump, c.Duration, c.Keep = 1500, 50, 2, 0.0045, 9
	seen := map[int64]bool{}
	o := options(t, t.TempDir())
	r := mustRun(t, c, o)
	entries, err := checkpoints.List(r.Dir, checkpoints.State)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		seen[e.NImg] = true
	}
	// Ticks 1, 3 and 4: the second and the fourth are passed at 3000 and 4500.
	if !seen[3000] || !seen[4500] || seen[1500] {
		t.Errorf("states at %v, want 0, 3000 and 4500", seen)
	}
}

// However long the ticks, a state is saved every so often.
func TestAutosave(t *testing.T) {
	c := quick(t)
	c.Keep = 99
	o := options(t, t.TempDir())
	o.Autosave = time.Nanosecond
	r := mustRun(t, c, o)
	entries, err := checkpoints.List(r.Dir, checkpoints.State)
	if err != nil || len(entries) != 9 { // the start and eight steps
		t.Errorf("%d states, %v; want 9", len(entries), err)
	}
}

// A plan that the memory cannot hold is refused, not attempted.
func TestPlanBeyondMemory(t *testing.T) {
	c := quick(t)
	c.ModelChannels, c.Batch, c.Micro = 1024, 1<<16, 1<<16
	if _, ok := sysmem.Available(); !ok {
		t.Log("this system does not tell its free memory")
		return
	}
	if _, err := Plan(c, device(t, 1)); err == nil || !strings.Contains(err.Error(), "--micro") {
		t.Errorf("got %v", err)
	}
}

// A snapshot is no state to resume from, and the error says so.
func TestResumeFromASnapshot(t *testing.T) {
	r := mustRun(t, quick(t), options(t, t.TempDir()))
	if _, err := LoadConfig(r.Snapshot); err == nil || !strings.Contains(err.Error(), "no training state") {
		t.Errorf("got %v", err)
	}
}

// What failed before training leaves no folder behind.
func TestFailedStartLeavesNothing(t *testing.T) {
	out := t.TempDir()
	c := quick(t)
	c.Transfer = filepath.Join(out, "none.safetensors")
	if _, err := Run(context.Background(), c, options(t, out)); err == nil {
		t.Fatal("a missing snapshot was transferred")
	}
	if entries, err := os.ReadDir(out); err != nil || len(entries) != 0 {
		t.Errorf("%v, %v", entries, err)
	}
}

func TestTrainingLearns(t *testing.T) {
	c := quick(t)
	c.Dropout, c.LabelDropout, c.Duration, c.Tick = 0, 0, 0.004, 2
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

func TestResumeRefusesChangedOptions(t *testing.T) {
	c := quick(t)
	o := options(t, t.TempDir())
	r := mustRun(t, c, o)
	o.Resume = r.Dir
	longer := c
	longer.Duration *= 1.5
	longer.LR = 5e-4
	_, err := Run(context.Background(), longer, o)
	if err == nil || !strings.Contains(err.Error(), "lr: 0.0005, was 0.001") || !strings.Contains(err.Error(), "--force") {
		t.Errorf("changed learning rate: %v", err)
	}
	other := o
	other.Dataset = blobs{201}
	if _, err := Run(context.Background(), c, other); err == nil || !strings.Contains(err.Error(), "other images") {
		t.Errorf("changed dataset: %v", err)
	}
	o.Force = true
	var warned []string
	o.Hooks.Warn = func(m string) { warned = append(warned, m) }
	if _, err := Run(context.Background(), longer, o); err != nil || len(warned) != 1 {
		t.Errorf("forced: %v, warnings %q", err, warned)
	}
}

func TestTwoTrainingsOnOneFolder(t *testing.T) {
	c := quick(t)
	o := options(t, t.TempDir())
	r := mustRun(t, c, o)
	release, err := checkpoints.Lock(r.Dir)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	o.Resume = r.Dir
	c.Duration *= 2
	if _, err := Run(context.Background(), c, o); !errors.Is(err, checkpoints.ErrLocked) {
		t.Errorf("got %v, want ErrLocked", err)
	}
}

// A loss that is not a number stops the run, names the image and its noise
// level, and leaves the last state alone.
func TestNonFiniteLossStops(t *testing.T) {
	c := quick(t)
	c.LR, c.LRRampup = 1e30, 0
	o := options(t, t.TempDir())
	r, err := Run(context.Background(), c, o)
	if err == nil || !strings.Contains(err.Error(), "sigma") && !strings.Contains(err.Error(), "gradient") {
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
	for _, name := range []string{"demo", "small", "cifar10"} {
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

// The quantiles invert the normal distribution.
func TestQuantile(t *testing.T) {
	for _, z := range []float64{-2.5, -1, 0, 0.3, 2} {
		if got := quantile(0.5 * math.Erfc(-z/math.Sqrt2)); math.Abs(got-z) > 1e-9 {
			t.Errorf("quantile at %g is %g", z, got)
		}
	}
}
