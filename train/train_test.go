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

	"edm/checkpoints"
	"edm/data"
	"edm/internal/rng"
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

// Any split into microbatches sees the same draws and gives the same weights to
// rounding.
func TestMicrobatchesAgree(t *testing.T) {
	snapshot := func(micro int) []float32 {
		c := quick(t)
		c.Micro = micro
		r := mustRun(t, c, options(t, t.TempDir()))
		f, err := checkpoints.Load(r.Snapshot, checkpoints.Snapshot)
		if err != nil {
			t.Fatal(err)
		}
		_, w, err := model.FromSnapshot(f, device(t, 1))
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	want := snapshot(16)
	for _, micro := range []int{1, 4, 8} {
		got := snapshot(micro)
		var diff, size float64
		for i, v := range want {
			diff += math.Pow(float64(got[i])-float64(v), 2)
			size += float64(v) * float64(v)
		}
		if e := math.Sqrt(diff / size); e > 1e-3 {
			t.Errorf("microbatches of %d: weights differ by %.2e of their RMS", micro, e)
		}
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
