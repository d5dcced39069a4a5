//go:build gpu

package cuda

import (
	"errors"
	"os"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"

	"edm/internal/cuda/driver"
	"edm/internal/engine"
)

// Whichever call of the driver's finds too little memory, the error is an
// OutOfMemory that says what for, and whether it is the host's; what comes after
// it goes well, unless there is no backend.
func TestOutOfMemory(t *testing.T) {
	if task := os.Getenv(faultChild); task != "" {
		kind, what, _ := strings.Cut(task, " ")
		runShort(t, kind == "host", what)
		return
	}
	for fault, task := range map[string]string{
		"cuDevicePrimaryCtxRetain:1": "device the device's context",
		"cuStreamCreate:2":           "device a stream",
		"cuEventCreate:1":            "device an event",
		"cuMemAllocHost:1":           "host the optimiser",
		"cuMemAlloc:3":               "device a program's arena",
		"cuEventCreate:2":            "device an event",
		"cuMemAlloc:4":               "device a program's inputs and outputs",
		"cuMemAllocHost:2":           "host a program's inputs and outputs",
		"cuModuleLoadDataEx:1":       "device a module of kernels",
		"cuModuleGetFunction:2":      "device a module of kernels",
		"cuLaunchKernel:2":           "device the launch of a kernel",
		"cuMemHostAlloc:1":           "host a graph's trail",
		"cuLaunchKernel:5":           "device the launch of a kernel",
		"cuGraphInstantiate:1":       "device a captured graph",
		"cuGraphLaunch:1":            "device the launch of a graph",
	} {
		inChild(t, t.Name(), task, fault+":OUT_OF_MEMORY")
	}
}

// runShort opens a backend and runs a program; one of the two lacks memory. Then
// it runs the program again.
func runShort(t *testing.T, host bool, what string) {
	b, err := open(0, FP32)
	if err == nil {
		p, w, x, _, _ := compileChain(t, b)
		run := func() error {
			m, err := engine.NewMachine(p)
			if err != nil {
				return err
			}
			for _, n := range []*gorgonia.Node{w, x} {
				must(t, m.Bind(n, engine.Buffer{F32: make([]float32, chainLen)}))
			}
			return errors.Join(m.RunAll(), m.RunAll(), m.Close())
		}
		err = run()
		must(t, run(), b.Close())
	}
	var full *engine.OutOfMemory
	if !errors.As(err, &full) || full.What != what || full.Host != host || !errors.Is(err, driver.OutOfMemory) {
		t.Errorf("%v (%+v), want an OutOfMemory for %s, of the host: %t", err, full, what, host)
		return
	}
	if known := full.Free >= 0; known == (host || what == "the device's context") {
		t.Errorf("%+v: is it known what is free: %t", full, known)
	}
}
