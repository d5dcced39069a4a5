//go:build gpu

package cuda

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"edm/internal/engine"
)

// stagingChild makes the test binary the process that a fault is asked of; its
// value says whether the driver listens.
const stagingChild = "EDM_TEST_STAGING_CHILD"

// A call of the driver that fails while inputs are brought to the device fails the
// run, and only that one: the next has all inputs and the right result. The
// emulated driver reads what is to fail when it starts, hence a process a fault.
func TestStagingAfterFaults(t *testing.T) {
	if listens := os.Getenv(stagingChild); listens != "" {
		failOnce(t, listens == "true")
		return
	}
	for _, fault := range []string{
		"cuMemAlloc:3:OUT_OF_MEMORY", "cuMemAlloc:4:OUT_OF_MEMORY", "cuMemAlloc:5:OUT_OF_MEMORY", "cuMemAlloc:6:OUT_OF_MEMORY",
		"cuMemAllocHost:2:OUT_OF_MEMORY",
		"cuMemcpyHtoDAsync:1:OUT_OF_MEMORY", "cuStreamWaitEvent:1:OUT_OF_MEMORY", "cuEventRecord:1:OUT_OF_MEMORY",
	} {
		withFault(t, fault)
	}
}

// withFault runs the calling test in a process of its own in which a fault is
// asked of the driver.
func withFault(t *testing.T, fault string) {
	t.Helper()
	listens := strings.Contains(backend(t, fp32).String(), "emulated")
	child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	child.Env = append(os.Environ(), fmt.Sprintf("%s=%t", stagingChild, listens), "EDM_EMULATOR_FAIL="+fault)
	if said, err := child.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", fault, err, said)
	}
}

// failOnce runs a program whose first run fails, unless the driver is a real one,
// then twice with new inputs. One input is fed.
func failOnce(t *testing.T, fails bool) {
	r := newAdder(t, backend(t, fp32), 4)
	x, y, z := []float32{1, 2, 3, 4}, engine.Pixels{255, 0, 255, 255}, make([]float32, 4)
	r.Bind(0, engine.Buffer{F32: x}, 0)
	r.Feed(1, y)
	r.Bind(2, engine.Buffer{F32: z}, 0)
	err := r.Start()
	if err == nil {
		err = r.Wait()
	}
	if (err != nil) != fails {
		t.Fatalf("the first run: %v; is it to fail: %t", err, fails)
	}
	for range 2 {
		x[0]++
		y[0] = 255 - y[0]
		if err := errors.Join(r.Start(), r.Wait()); err != nil {
			t.Fatalf("after %v: %v", err, err)
		}
		if want := []float32{x[0] + float32(y[0])/127.5 - 1, 1, 4, 5}; !slices.Equal(z, want) {
			t.Fatalf("%v, want %v", z, want)
		}
	}
	if err := r.Wait(); err == nil {
		t.Error("a run that was never started was waited for")
	}
}
