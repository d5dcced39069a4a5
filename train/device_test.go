package train

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"edm/checkpoints"
	"edm/internal/testkit/detached"
	"edm/model"
)

// brief is quick with four small steps: portable kernels are slow.
func brief(t *testing.T) Config {
	t.Helper()
	c := quick(t)
	c.ModelChannels, c.Batch, c.Micro, c.Validation, c.Duration = 8, 4, 2, 4, 16e-6
	return c
}

// on returns options for a run on a device of its own memory.
func on(t *testing.T, b *detached.Backend) Options {
	o := options(t, t.TempDir())
	o.Device = model.NewDevice(b)
	return o
}

// A run on a device with a memory of its own gives the snapshot of a run without
// one, byte for byte, and gives all of the memory back.
func TestTrainingInDeviceMemory(t *testing.T) {
	c := brief(t)
	plain := options(t, t.TempDir())
	plain.Device = model.Portable()
	want := mustRun(t, c, plain)
	b := &detached.Backend{}
	got := mustRun(t, c, on(t, b))
	if !bytes.Equal(contents(t, got.Snapshot), contents(t, want.Snapshot)) {
		t.Error("the snapshots differ")
	}
	if b.Used() != 0 {
		t.Errorf("%d bytes are still in use", b.Used())
	}
	one := c
	one.Micro = c.Batch // every microbatch is drawn ahead of its step
	a, d := mustRun(t, one, plain), mustRun(t, one, on(t, &detached.Backend{}))
	if !bytes.Equal(contents(t, a.Snapshot), contents(t, d.Snapshot)) {
		t.Error("the snapshots differ without microbatches")
	}
}

// A run for which the device's memory does not suffice gives back what it had of it.
func TestTooLittleMemoryLeavesNoneTaken(t *testing.T) {
	c := brief(t)
	b := &detached.Backend{}
	o := on(t, b)
	plan, err := Estimate(c, o.Device)
	if err != nil {
		t.Fatal(err)
	}
	b.Capacity = plan.StateBytes + plan.ArenaBytes // and nothing for validation
	if _, err := Run(context.Background(), c, o); err == nil || !strings.Contains(err.Error(), "of memory") {
		t.Errorf("%v, want what is too little", err)
	}
	if b.Used() != 0 {
		t.Errorf("%d bytes are still in use", b.Used())
	}
}

// What is planned for validation is its program's arena and what it keeps.
func TestPlannedValidation(t *testing.T) {
	c, o := brief(t), on(t, &detached.Backend{})
	plan, err := Estimate(c, o.Device)
	if err != nil {
		t.Fatal(err)
	}
	r, err := newRun(c, o)
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	want := r.validation.program.Program().Program().ArenaBytes()
	for _, b := range r.validation.batches {
		want += int64(len(b.Pixels) + 4*len(b.Images) + 4*len(b.Noise))
	}
	if plan.ValidationBytes != want {
		t.Errorf("%d bytes planned, %d kept", plan.ValidationBytes, want)
	}
}

// A device that fails in the middle of a step leaves the last state as it was,
// and another device resumes from it, with a warning.
func TestFaultLeavesTheLastState(t *testing.T) {
	c := brief(t)
	c.Validation, c.Keep = 0, 99
	plain := options(t, t.TempDir())
	plain.Device = model.Portable()
	want := mustRun(t, c, plain)

	o := on(t, &detached.Backend{FailRun: 6}) // the second half of step 3
	o.Autosave = time.Nanosecond
	_, err := Run(context.Background(), c, o)
	if !errors.Is(err, detached.ErrFault) {
		t.Fatalf("the run ended with %v, want the fault", err)
	}
	dir, err := checkpoints.LatestRun(o.OutDir, checkpoints.State)
	if err != nil {
		t.Fatal(err)
	}
	if _, f, err := checkpoints.Latest(dir, checkpoints.State, func(m string) { t.Error(m) }); err != nil || f.Metadata[keyNImg] != "8" {
		t.Fatalf("the last state: %v, want that of 8 images", err)
	}
	var warned string
	plain.OutDir, plain.Resume = o.OutDir, dir
	plain.Hooks.Warn = func(m string) { warned += m }
	got := mustRun(t, c, plain)
	if !bytes.Equal(contents(t, got.Snapshot), contents(t, want.Snapshot)) {
		t.Error("the resumed run's snapshot differs from the uninterrupted one's")
	}
	if !strings.Contains(warned, "were detached") {
		t.Errorf("warned %q, want the change of device", warned)
	}
}

// What the device may change belongs to the host: a resumed run and one that
// starts from a snapshot bring their weights there.
func TestResumeInDeviceMemory(t *testing.T) {
	c := brief(t)
	plain := options(t, t.TempDir())
	plain.Device = model.Portable()
	want := mustRun(t, c, plain)
	half := c
	half.Duration /= 2
	first := mustRun(t, half, on(t, &detached.Backend{}))
	o := on(t, &detached.Backend{})
	o.Resume = first.Dir
	if got := mustRun(t, c, o); !bytes.Equal(contents(t, got.Snapshot), contents(t, want.Snapshot)) {
		t.Error("resumed: the snapshot differs")
	}
	from := half
	from.Transfer = want.Snapshot
	plain.OutDir = t.TempDir()
	a, b := mustRun(t, from, plain), mustRun(t, from, on(t, &detached.Backend{}))
	if !bytes.Equal(contents(t, a.Snapshot), contents(t, b.Snapshot)) {
		t.Error("transferred: the snapshots differ")
	}
}

// A run that does not fit into the device's memory says so and leaves no folder.
func TestTooLittleDeviceMemory(t *testing.T) {
	c := brief(t)
	o := on(t, &detached.Backend{Capacity: 1 << 20})
	_, err := Run(context.Background(), c, o)
	if err == nil || !strings.Contains(err.Error(), "MiB are free") {
		t.Errorf("a run in 1 MiB: %v", err)
	}
	if _, err := checkpoints.LatestRun(o.OutDir); !errors.Is(err, checkpoints.ErrNone) {
		t.Errorf("a folder was left: %v", err)
	}
}

// A step sends the pixels as bytes, by which numbers the noise is drawn, and a few
// numbers for each image; augmented images, which are no bytes, as float32.
func TestBytesOfAStep(t *testing.T) {
	const dim, numbers, fixed = 64, 64, 32 // numbers: bytes an image, fixed: a microbatch
	for augment, element := range map[float64]int64{0: 1, 0.5: 4} {
		c := brief(t)
		c.Validation, c.Augment = 0, augment
		b := &detached.Backend{}
		o := on(t, b)
		var steps int64
		o.Hooks.Step = func(Step) { steps++ }
		mustRun(t, c, o)
		images, runs := steps*int64(c.Batch), int64(b.Runs())
		pixels := images * dim * element
		most := pixels + images*(numbers+4*augmentLabels) + runs*fixed
		if got := b.Sent(); runs != 2*steps || got < pixels || got > most {
			t.Errorf("augmentation %g: %d bytes in %d runs, want %d to %d", augment, got, runs, pixels, most)
		}
	}
}
