package train

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edm/checkpoints"
)

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

func TestResumeRefusesChangedOptions(t *testing.T) {
	c := quick(t)
	o := options(t, t.TempDir())
	r := mustRun(t, c, o)
	o.Resume = r.Dir
	longer := c
	longer.Duration *= 1.5
	longer.LR = 5e-4
	_, err := Run(context.Background(), longer, o)
	if err == nil || !strings.Contains(err.Error(), "lr: 0.0005, was 0.001") || !errors.Is(err, ErrChanged) {
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
