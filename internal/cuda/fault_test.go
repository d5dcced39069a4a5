//go:build gpu

package cuda

import (
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"edm/internal/engine"
	"edm/internal/testkit/optest"
)

// faultChild makes the test binary the process that a fault is asked of; its
// value names what the process does. The emulated driver reads what is to fail
// when it starts.
const faultChild = "EDM_TEST_FAULT_CHILD"

// inChild runs a test of this binary in a process of its own, where it finds
// task, with a fault. Where the driver is a real one nothing fails, and the
// process is not started.
func inChild(t *testing.T, test, task, fault string) {
	t.Helper()
	if !strings.Contains(backend(t, fp32).String(), "emulated") {
		return
	}
	child := exec.Command(os.Args[0], "-test.run=^"+test+"$")
	child.Env = append(os.Environ(), faultChild+"="+task, "EDM_EMULATOR_FAIL="+fault)
	if said, err := child.CombinedOutput(); err != nil {
		t.Errorf("%s, %s: %v\n%s", task, fault, err, said)
	}
}

// wants fails the test unless the error says that the device is lost, and all of
// the words.
func wants(t *testing.T, err error, words ...string) {
	t.Helper()
	if !errors.Is(err, engine.ErrLost) {
		t.Errorf("%v, want an ErrLost", err)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%v, want %q in it", err, w)
		}
	}
}

// A kernel that fails in a replayed graph is named with its operation, whichever
// of the graph's it is, and nothing of the run is delivered.
func TestFaultsInGraphs(t *testing.T) {
	if kernel := os.Getenv(faultChild); kernel != "" {
		failingGraph(t, kernel)
		return
	}
	for _, kernel := range []string{"add", "scale", "silu"} {
		inChild(t, t.Name(), kernel, kernel+":3") // waited for in the first run
	}
}

// failingGraph runs a chain whose third run fails.
func failingGraph(t *testing.T, kernel string) {
	b := backend(t, fp32)
	c := newChain(t, b)
	must(t, b.Mirror(c.w), c.RunAll(), c.RunAll())
	before := slices.Clone(c.z)
	for i := range c.x {
		c.x[i]++
	}
	operation := map[string]string{"add": "operation 0, op.Add{", "scale": "operation 1, op.Scale{", "silu": "operation 2, op.SiLU{"}[kernel]
	wants(t, c.RunAll(), "kernel pointwise."+kernel+" of "+operation, "a program of 3 operations", checkVariable, "LAUNCH_FAILED")
	if !slices.Equal(c.z, before) {
		t.Error("the run that failed delivered its outputs")
	}
	wants(t, c.RunAll())
	wants(t, b.Download(c.w), "download")
}

// A pass over flat buffers that fails after the first of its kind, which is
// waited for, is named by whatever waits for the device next.
func TestFaultsOutsideOfPrograms(t *testing.T) {
	if task := os.Getenv(faultChild); task != "" {
		failingAdam(t, task)
		return
	}
	for _, task := range []string{"run", "download", "norm"} {
		inChild(t, t.Name(), task, "adam:2")
	}
}

// failingAdam takes two steps of Adam, the second of which fails, and then does
// the task.
func failingAdam(t *testing.T, task string) {
	b := backend(t, fp32)
	c := newChain(t, b)
	must(t, c.RunAll(), c.RunAll())
	var flat [5][]float32
	for i := range flat {
		flat[i] = optest.Normal(uint64(i), 100)
		must(t, b.Mirror(flat[i]))
	}
	for step := range 2 {
		u := engine.Update{LR: 0.01, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, GradScale: 1, Step: int64(step + 1)}
		must(t, b.Adam(u, flat[0], flat[1], flat[2], flat[3], flat[4]))
	}
	const adam = "kernel optimiser.adam was started before"
	switch task {
	case "run":
		wants(t, c.RunAll(), adam, "before the first kernel of a program of 3 operations")
	case "download":
		wants(t, b.Download(flat[0]), adam)
	case "norm":
		_, err := b.SumSquares(flat[4])
		wants(t, err, adam)
	}
}

// What was waited for is not named with a later fault.
func TestFaultAfterOthersWereWaitedFor(t *testing.T) {
	if os.Getenv(faultChild) == "" {
		inChild(t, t.Name(), "silu", "silu:3")
		return
	}
	b := backend(t, fp32)
	c := newChain(t, b)
	x, y := optest.Normal(1, 10), optest.Normal(2, 10)
	must(t, b.Mirror(x), b.Mirror(y), c.RunAll(), b.Accumulate(y, x), b.Accumulate(y, x), c.RunAll())
	err := c.RunAll()
	wants(t, err, "pointwise.silu")
	if strings.Contains(err.Error(), "was started before") {
		t.Errorf("%v: names what was done", err)
	}
}
