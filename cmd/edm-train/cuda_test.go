//go:build gpu

package main

import (
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"strings"
	"testing"

	"edm/checkpoints"
	"edm/internal/testkit/gputest"
	"edm/model"
)

// The emulated driver reads these when the process starts: how many devices there
// are, and what they are, and what fails.
const (
	emulatedDevices = "EDM_EMULATOR_DEVICES="
	emulatedOld     = "EDM_EMULATOR_CAPABILITY=7.5"
	emulatedDriver  = "EDM_EMULATOR_DRIVER_VERSION=11080"
	emulatedFault   = "EDM_EMULATOR_FAIL="
	otherDriver     = "EDM_CUDA_DRIVER="
)

// process runs the command in a process of its own with changes to the
// environment, and returns whether it succeeded and what it printed.
func process(t *testing.T, environment []string, args ...string) (ok bool, said string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(append(os.Environ(), mainEnv+"=1"), environment...)
	out, err := cmd.CombinedOutput()
	return err == nil, string(out)
}

// Without a driver or a device that will do, the command says what is missing
// when a GPU is asked for, and otherwise runs on the processor. It is meant for
// the emulated driver, and without EDM_CUDA_DRIVER for none.
func TestMissingDevices(t *testing.T) {
	cases := []struct{ name, environment, device, want string }{
		{"no driver", otherDriver + "/nonexistent/libcuda.so.1", "cuda", "no CUDA driver"},
	}
	if emulated(t) {
		cases = append(cases, []struct{ name, environment, device, want string }{
			{"no device", emulatedDevices + "0", "cuda", "no CUDA device"},
			{"wrong number", emulatedDevices + "2", "cuda:2", "there is no CUDA device 2"},
			{"old device", emulatedOld, "cuda", "7.5"},
			{"old driver", emulatedDriver, "cuda", "11.8"},
			{"too little memory", "EDM_EMULATOR_MEMORY=400000", "cuda", "MiB are free"},
		}...)
	}
	for _, c := range cases {
		outdir := t.TempDir()
		ok, said := process(t, []string{c.environment}, append(tinyFlags(t, outdir), "--device", c.device)...)
		left, err := os.ReadDir(outdir)
		if ok || !strings.Contains(said, c.want) || err != nil || len(left) > 0 {
			t.Errorf("%s: ended well: %v, left %v, %v:\n%s\nwant %q", c.name, ok, left, err, said, c.want)
		}
		if c.name == "wrong number" || c.name == "too little memory" {
			continue
		}
		if ok, said := process(t, []string{c.environment}, append(tinyFlags(t, outdir), "--device=auto")...); !ok || !strings.Contains(said, "cpu-") {
			t.Errorf("%s: --device=auto did not run on the processor:\n%s", c.name, said)
		}
	}
}

// Wherever the driver finds too little memory, of the device or of the host, the
// command says what to do.
func TestOutOfMemoryOnTheGPU(t *testing.T) {
	if !emulated(t) {
		return // no memory is wanting on a real driver
	}
	for fault, want := range map[string]string{
		"cuDevicePrimaryCtxRetain:1": "nvidia-smi lists",
		"cuModuleLoadDataEx:1":       "a module of kernels needs more device memory",
		"cuGraphInstantiate:1":       "a captured graph needs more device memory",
		"cuMemAllocHost:2":           "page-locked host memory",
		"cuMemAlloc:3":               "weights, average, moments and gradients",
		"cuLaunchKernel:100":         "the launch of a kernel needs more device memory",
	} {
		ok, said := process(t, []string{emulatedFault + fault + ":OUT_OF_MEMORY"}, append(tinyFlags(t, t.TempDir()), "--device=cuda", "--preview=0")...)
		advice := "--micro"
		if strings.Contains(want, "nvidia-smi") {
			advice = "--device cpu"
		}
		if ok || !strings.Contains(said, want) || !strings.Contains(said, advice) {
			t.Errorf("%s: ended well: %v:\n%s\nwant %q and %s", fault, ok, said, want, advice)
		}
	}
}

// emulated reports whether the driver is the project's own, by the name of its
// device.
func emulated(t *testing.T) bool {
	t.Helper()
	d, err := model.OpenDevice("auto", 1, "fp32")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	return strings.Contains(d.String(), "emulated")
}

// A launch that fails in the middle of a run is named, with its operation where
// it is known, and the last state stays: the run goes on from it. A real driver
// does not listen to what is to fail: the run ends well there.
func TestFaultOnTheGPU(t *testing.T) {
	gputest.First(t, "fp32")
	listens := emulated(t)
	const checked = "EDM_CUDA_CHECK=1" // every launch by itself
	for _, c := range []struct {
		fault, environment string
		want               []string
	}{
		{"adam:1", "", []string{"adam"}},
		{"adam:2", "", nil},
		{"adam:2", checked, []string{"adam"}},
		{"combine:2", "", []string{"combine", "op.Combine{"}}, // in the first run, which is checked
		{"combine:4", "", []string{"combine of operation 59, op.Combine{", "or one before it", checked}}, // in a graph
		{"combine:4", checked, []string{"combine", "op.Combine{"}},
	} {
		outdir := t.TempDir()
		flags := append(tinyFlags(t, outdir), "--device=cuda", "--preview=0")
		ok, said := process(t, []string{emulatedFault + c.fault, c.environment}, flags...)
		if !listens {
			if !ok {
				t.Errorf("without a fault:\n%s", said)
			}
			continue
		}
		for _, w := range append(c.want, "CUDA_ERROR_LAUNCH_FAILED", "the device is lost", "the last state, after 0 images, is intact in "+outdir, "continue with --resume "+outdir) {
			if ok || !strings.Contains(said, w) {
				t.Errorf("%s %s: ended well: %v:\n%s\nwant %q", c.fault, c.environment, ok, said, w)
			}
		}
		dir, err := checkpoints.LatestRun(outdir, checkpoints.State)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := checkpoints.Latest(dir, checkpoints.State, func(m string) { t.Error(m) }); err != nil {
			t.Errorf("%s: the last state: %v", c.fault, err)
		}
		if ok, said := process(t, nil, "--resume", dir, "--outdir", outdir, "--device=cuda", "--preview=0"); !ok {
			t.Errorf("%s: the run does not go on:\n%s", c.fault, said)
		}
	}
}

// The whole course of a run on the GPU: training in two precisions, validation,
// a preview, and the start line that names the device.
func TestTrainOnTheGPU(t *testing.T) {
	gputest.First(t, "fp32")
	for _, precision := range []string{"fp32", "bf16"} {
		flags := append(tinyFlags(t, t.TempDir()), "--device=auto", "--precision", precision)
		ok, said := process(t, nil, flags...)
		if !ok {
			t.Fatalf("%s:\n%s", precision, said)
		}
		if !strings.Contains(said, "cuda:0 ") || !strings.Contains(said, ", "+precision) || strings.Contains(said, "no preview") {
			t.Errorf("%s:\n%s", precision, said)
		}
	}
}

// --bench measures the card and gives every kind of operation its time and its
// share of the peak. On an emulated device the numbers say nothing.
func TestBenchOnTheGPU(t *testing.T) {
	gputest.First(t, "fp32")
	var got figures
	text := bench(t, "--preset=small", "--batch=2", "--resolution=8", "--channels=1", "--device=cuda", "--precision=bf16",
		"--model-channels=8", "--channel-mult=1", "--num-blocks=1", "--attn-resolutions=8")
	if err := json.Unmarshal([]byte(text), &got); err != nil || got.GPU == nil {
		t.Fatalf("error %v, or nothing of the GPU in %q", err, text)
	}
	positive := map[string]float64{
		"copy": got.GPU.CopyPeak, "product": got.FMAPeak, "train share": got.TrainShare, "forward share": got.ForwardShare,
		"fp32": got.GPU.ProductPeaks["fp32"], "tf32": got.GPU.ProductPeaks["tf32"], "bf16": got.GPU.ProductPeaks["bf16"],
	}
	limits := map[string]string{}
	for _, o := range got.GPU.Operations {
		positive[o.Name+", time"], positive[o.Name+", share"], positive[o.Name+", calls"] = o.Ms, o.Share, float64(o.Calls)
		limits[o.Name] = o.Limit
	}
	for name, v := range positive {
		if !(v > 0) || math.IsInf(v, 0) {
			t.Errorf("%s: %v, want a number above 0", name, v)
		}
	}
	for name, want := range map[string]string{"Conv2D 3x3": "products", "Conv2DWeights 3x3": "products", "GNApply": "memory", "Adam and EMA": "memory"} {
		if limits[name] != want {
			t.Errorf("%s is bound by %q, want %q", name, limits[name], want)
		}
	}
}
