//go:build gpu

package train

import (
	"context"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"edm/checkpoints"
	"edm/checkpoints/safetensors"
	"edm/internal/testkit/gputest"
	"edm/model"
)

// small is a run of steps so small that many are taken in seconds.
func small(t *testing.T, steps int) Config {
	t.Helper()
	c := quick(t)
	c.ModelChannels, c.ChannelMult, c.AttnResolutions = 4, []int{1}, nil
	c.Batch, c.Micro, c.Validation = 2, 2, 0
	c.Duration = float64(steps*c.Batch) * 1e-6
	return c
}

// curve runs a configuration and returns the loss of every step, and the run.
func curve(t *testing.T, c Config, o Options) ([]float64, Result) {
	t.Helper()
	var losses []float64
	o.Hooks.Step = func(s Step) { losses = append(losses, s.Loss) }
	r := mustRun(t, c, o)
	return losses, r
}

// deviation returns the root mean square difference of two curves over the mean
// of the second.
func deviation(a, b []float64) float64 {
	var squares, sum float64
	for i, v := range b {
		squares += (a[i] - v) * (a[i] - v)
		sum += v
	}
	n := float64(len(b))
	return math.Sqrt(squares/n) / (sum / n)
}

// Steps from one seed, 200 in float32, have one loss curve on the processor and on the GPU:
// they see the same images, noise and dropout, and rounding is all that differs.
// One run is of images as they are, which go to the GPU as bytes, the other of
// augmented ones.
func TestLossCurves(t *testing.T) {
	for _, p := range []struct {
		precision string
		steps     int
		augment   float64
		allowed   float64
	}{{"fp32", 200, 0, 1e-4}, {"bf16", 20, 0.3, 5e-3}} {
		d := gputest.First(t, p.precision)
		c := small(t, p.steps)
		c.Augment = p.augment
		want, _ := curve(t, c, options(t, t.TempDir()))
		o := options(t, t.TempDir())
		o.Device = d
		got, _ := curve(t, c, o)
		if len(got) != p.steps || len(want) != p.steps {
			t.Fatalf("%d and %d steps, want %d", len(got), len(want), p.steps)
		}
		e := deviation(got, want)
		t.Logf("%s: the losses differ by %.2e of their mean; the first are %.3g, the last %.3g", p.precision, e, got[:3], got[p.steps-3:])
		if !(e <= p.allowed) {
			t.Errorf("%s: the losses differ by %.2e of their mean, want at most %g", p.precision, e, p.allowed)
		}
	}
}

// A step sends about a byte an element, and brings the losses and the gradient's
// norm back.
func TestTrafficOnTheGPU(t *testing.T) {
	const align = 256 // each array takes a multiple of these bytes
	c := small(t, 3)
	c.Augment, c.Batch, c.Micro = 0, 32, 32
	c.Duration = 3 * 32e-6
	o := options(t, t.TempDir())
	o.Device = gputest.First(t, "fp32")
	device := o.Device.Backend().(interface{ Traffic() (up, down int64) })
	var ups, downs []int64
	o.Hooks.Step = func(Step) {
		up, down := device.Traffic()
		ups, downs = append(ups, up), append(downs, down)
	}
	mustRun(t, c, o)
	pixels := int64(c.Batch * c.Resolution * c.Resolution)
	for i := 1; i < len(ups)-1; i++ { // the last step sends none ahead
		up, down := ups[i]-ups[i-1], downs[i]-downs[i-1]
		t.Logf("step %d: %d bytes up for %d pixels, %d down", i, up, pixels, down)
		if up < pixels || up > pixels+20*align {
			t.Errorf("step %d sent %d bytes, want %d and at most 20 arrays of numbers", i, up, pixels)
		}
		if down > int64(4*c.Batch)+align {
			t.Errorf("step %d brought %d bytes back, want the %d losses and a number", i, down, c.Batch)
		}
	}
}

// A run that began on one device goes on on the other, with a warning, as if it
// had never moved; and the same device gives the same bits after a resume.
func TestResumeOnTheOtherDevice(t *testing.T) {
	c := small(t, 8)
	half := c
	half.Duration /= 2
	d := gputest.First(t, "fp32")
	on := func(d *model.Device) Options {
		o := options(t, t.TempDir())
		if d != nil {
			o.Device = d
		}
		return o
	}
	whole, end := curve(t, c, on(d))
	for name, devices := range map[string][2]*model.Device{"to the GPU": {nil, d}, "to the processor": {d, nil}, "nowhere": {d, d}} {
		o := on(devices[0])
		first, r := curve(t, half, o)
		o = on(devices[1])
		o.Resume = r.Dir
		var warned string
		o.Hooks.Warn = func(m string) { warned += m }
		second, last := curve(t, c, o)
		if e := deviation(append(first, second...), whole); !(e <= 1e-4) {
			t.Errorf("%s: the losses differ by %.2e", name, e)
		}
		if moved := devices[0] != devices[1]; strings.Contains(warned, "cuda-fp32") != moved {
			t.Errorf("%s: warned %q", name, warned)
		}
		if devices[0] == devices[1] && string(contents(t, last.Snapshot)) != string(contents(t, end.Snapshot)) {
			t.Errorf("%s: the snapshot differs from the uninterrupted run's", name)
		}
		state := loadNewest(t, last.Dir)
		if kernels := state.Metadata[keyKernels]; strings.HasPrefix(kernels, "cuda") != (devices[1] == d) {
			t.Errorf("%s: the state records kernels %s", name, kernels)
		}
	}
}

// loadNewest returns the newest state of a run.
func loadNewest(t *testing.T, dir string) *safetensors.File {
	t.Helper()
	_, f, err := checkpoints.Latest(filepath.Clean(dir), checkpoints.State, func(m string) { t.Error(m) })
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// faultyRun makes the test binary the process that a fault is asked of; its value
// is the folder of its run. The emulated driver reads what is to fail when it
// starts.
const faultyRun = "EDM_TEST_FAULTY_RUN"

// A kernel that fails in the middle of a graph, in the middle of a step, leaves
// the state of the step before. The run that goes on from it ends with the bytes
// of one that nothing disturbed.
func TestResumeAfterAFaultOfTheGPU(t *testing.T) {
	c := small(t, 6)
	c.Batch, c.Duration, c.Keep = 4, 2*c.Duration, 9
	on := func(d *model.Device, outdir string) Options {
		o := options(t, outdir)
		o.Device, o.Autosave = d, 1 // a state a step
		return o
	}
	if outdir := os.Getenv(faultyRun); outdir != "" {
		d, err := model.OpenDevice("cuda", 1, "fp32")
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close() // fails, as the device has
		if r, err := Run(context.Background(), c, on(d, outdir)); !errors.Is(err, model.ErrLost) || !strings.Contains(err.Error(), "after 12 images, is intact in "+r.Dir) {
			t.Errorf("%v, want an ErrLost with the last state", err)
		}
		return
	}
	d := gputest.First(t, "fp32")
	if !strings.Contains(d.String(), "emulated") {
		return // nothing fails on a real driver
	}
	outdir := t.TempDir()
	child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	// A step is two programs, each with one such kernel: the eighth is the last of
	// the fourth step.
	child.Env = append(os.Environ(), faultyRun+"="+outdir, "EDM_EMULATOR_FAIL=squared_error_grad:8")
	if said, err := child.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	dir, err := checkpoints.LatestRun(outdir, checkpoints.State)
	if err != nil {
		t.Fatal(err)
	}
	o := on(d, outdir)
	o.Resume = dir
	mended, whole := mustRun(t, c, o), mustRun(t, c, on(d, t.TempDir()))
	want, err := checkpoints.List(whole.Dir, checkpoints.State)
	if err != nil || len(want) != 7 {
		t.Fatalf("%d states (%v), want one before each step and one behind the last", len(want), err)
	}
	for _, s := range want {
		got := filepath.Join(mended.Dir, filepath.Base(s.Path))
		if string(contents(t, got)) != string(contents(t, s.Path)) {
			t.Errorf("the states after %d images differ", s.NImg)
		}
	}
}

// What is planned for a GPU's memory is what a run takes of it, but for the
// optimiser's few numbers and the ends of flat buffers: weights and their like,
// both programs, what stages their inputs and what is made of that, of images as
// bytes and of augmented ones. On a real device the code of kernels and its way of
// dividing memory come on top, and some of that stays.
func TestPlannedMemoryOnTheGPU(t *testing.T) {
	d := gputest.First(t, "bf16")
	for _, augment := range []float64{0, 0.3} {
		c := quick(t)
		c.Batch, c.Micro, c.Validation, c.Duration, c.Augment = 8, 4, 4, 16e-6, augment
		plannedMemory(t, c, d)
	}
}

func plannedMemory(t *testing.T, c Config, d *model.Device) {
	t.Helper()
	const rest = 512 // bytes
	emulated, own := strings.Contains(d.String(), "emulated"), int64(64<<20)
	if emulated {
		own = 0
	}
	plan, err := Estimate(c, d)
	if err != nil {
		t.Fatal(err)
	}
	free := func() int64 {
		t.Helper()
		n, ok := d.FreeMemory()
		if !ok {
			t.Fatal("the device does not say what is free")
		}
		return n
	}
	before, least := free(), free()
	o := options(t, t.TempDir())
	o.Device = d
	o.Hooks.Step = func(Step) { least = min(least, free()) }
	o.Hooks.Tick = func(Tick) { least = min(least, free()) }
	mustRun(t, c, o)
	taken := before - least
	t.Logf("planned %d bytes and %d for kernels, taken %d", plan.DeviceBytes, plan.AllowanceBytes, taken)
	// Of warpgroups' kernels each graph has tensor maps, which the allowance is for.
	exact := emulated && !strings.HasSuffix(d.Name(), "-wgmma")
	if exact && max(taken-plan.DeviceBytes, plan.DeviceBytes-taken) > rest {
		t.Errorf("%d bytes were taken, %d planned", taken, plan.DeviceBytes)
	}
	if plan.AllowanceBytes <= 0 || taken > plan.DeviceBytes+plan.AllowanceBytes+own {
		t.Errorf("%d bytes were taken, at most %d and %d allowed", taken, plan.DeviceBytes, plan.AllowanceBytes)
	}
	if left := before - free(); left > 1<<20+own {
		t.Errorf("%d bytes were left behind", left)
	}
}
