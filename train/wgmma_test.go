//go:build gpu

package train

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"edm/internal/testkit/gputest"
)

// wgmmaLosses makes the test binary the process that trains on an emulated Hopper;
// its value names the file for the losses. The emulated driver reads which device it
// is when it starts.
const wgmmaLosses = "EDM_TEST_WGMMA_LOSSES"

// Training in bf16 with the matrix products of Hopper's warpgroups has the loss
// curve of training in bf16 without: the factors are the same, and only the order of
// sums may differ. Images go as bytes, noise is drawn on the device, and what
// convolutions read is packed in both.
func TestTrainingOnTheGPUByWarpgroups(t *testing.T) {
	const steps = 4
	c := small(t, steps)
	c.Augment, c.ModelChannels = 0, 24
	run := func(wgmma bool) []float64 {
		o := options(t, t.TempDir())
		o.Device = gputest.First(t, "bf16")
		if strings.HasSuffix(o.Device.Name(), "-wgmma") != wgmma {
			t.Fatalf("the kernels are %s", o.Device.Name())
		}
		losses, _ := curve(t, c, o)
		return losses
	}
	if file := os.Getenv(wgmmaLosses); file != "" {
		text, err := json.Marshal(run(true))
		if err == nil {
			err = os.WriteFile(file, text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	if !strings.Contains(gputest.First(t, "bf16").String(), "emulated") {
		return // a real device is what it is
	}
	file := filepath.Join(t.TempDir(), "losses.json")
	child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	child.Env = append(os.Environ(), wgmmaLosses+"="+file, "EDM_EMULATOR_CAPABILITY=9.0", "EDM_CUDA_WGMMA=1")
	if said, err := child.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	var got []float64
	if err := json.Unmarshal(contents(t, file), &got); err != nil {
		t.Fatal(err)
	}
	t.Setenv("EDM_CUDA_WGMMA", "")
	want := run(false)
	if len(got) != steps || len(want) != steps {
		t.Fatalf("%d and %d steps, want %d", len(got), len(want), steps)
	}
	e := deviation(got, want)
	t.Logf("the losses differ by %.2e of their mean; the first are %.6g and %.6g", e, got[:3], want[:3])
	if !(e <= 1e-4) {
		t.Errorf("the losses differ by %.2e of their mean, want at most 1e-4", e)
	}
}
