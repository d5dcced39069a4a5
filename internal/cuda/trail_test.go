//go:build gpu

package cuda

import (
	"os"
	"slices"
	"strings"
	"testing"

	"edm/internal/testkit/drivertest"
)

// untrailed returns a backend whose graphs leave no trail.
func untrailed(t *testing.T) *Backend {
	t.Helper()
	t.Setenv(trailVariable, "0")
	b, err := open(0, FP32)
	drivertest.Need(t, err)
	t.Cleanup(func() {
		if err := b.Close(); err != nil && os.Getenv(faultChild) == "" {
			t.Error(err)
		}
	})
	return b
}

// TestTrailIsLeftOut: a graph without a trail takes no memory of the host's for it and
// computes the same bits.
func TestTrailIsLeftOut(t *testing.T) {
	with, without := newChain(t, backend(t, fp32)), newChain(t, untrailed(t))
	for _, c := range []*chain{with, without} {
		must(t, c.RunAll(), c.RunAll(), c.RunAll()) // waited for, captured, replayed
	}
	if !slices.Equal(with.z, without.z) {
		t.Error("the trail changes the outputs")
	}
	b := untrailed(t)
	l, err := b.newTrail(make([]placed, 3))
	must(t, err)
	if l.memory != nil || l.mark(2) != 0 {
		t.Errorf("a trail in %v, its mark %v, want none", l.memory, l.mark(2))
	}
	if l, err = backend(t, fp32).newTrail(make([]placed, 3)); err != nil || l.memory == nil || l.mark(2) == 0 {
		t.Errorf("%v: a trail in %v, want one", err, l.memory)
	}
	must(t, l.close())
}

// A fault in a graph without a trail says so, and how to learn more.
func TestFaultWithoutATrail(t *testing.T) {
	if os.Getenv(faultChild) == "" {
		inChild(t, t.Name(), "scale", "scale:3")
		return
	}
	c := newChain(t, untrailed(t))
	must(t, c.RunAll(), c.RunAll())
	wants(t, c.RunAll(), "an unknown kernel of a program of 3 operations", trailVariable+"=1", checkVariable+"=1")
}

func TestTrailOfAnotherValue(t *testing.T) {
	t.Setenv(trailVariable, "off")
	if _, err := open(0, FP32); err == nil || !strings.Contains(err.Error(), `EDM_CUDA_TRAIL is "off" in the environment, want 0 or 1`) {
		t.Errorf("%v, want an error that names the variable", err)
	}
}
