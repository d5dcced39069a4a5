//go:build gpu

package ptx

import (
	"strings"
	"testing"
)

func TestModuleByCapability(t *testing.T) {
	for _, capability := range []int{80, 86, 89, 90, 100, 120} {
		text, err := Module("conv", capability, hopperDriver)
		if err != nil {
			t.Fatalf("capability %d: %v", capability, err)
		}
		if !strings.Contains(text, ".target sm_") || !strings.Contains(text, ".entry") {
			t.Errorf("capability %d: no PTX in %q...", capability, text[:min(80, len(text))])
		}
		if capability != hopper && strings.Contains(text, ".target sm_90a") {
			t.Errorf("capability %d gets what runs on 9.0 alone", capability)
		}
	}
}

func TestModuleRefuses(t *testing.T) {
	if _, err := Module("conv", 75, hopperDriver); err == nil || !strings.Contains(err.Error(), "7.5") {
		t.Errorf("capability 7.5: error %v, want one that names it", err)
	}
	if _, err := Module("convex", 80, hopperDriver); err == nil || !strings.Contains(err.Error(), "conv,") {
		t.Errorf("unknown module: error %v, want one that lists the modules", err)
	}
}

// A driver before 545 refuses PTX 8.3: with it Hopper runs what sm_80 does.
func TestHopperByDriver(t *testing.T) {
	for _, c := range []struct {
		capability, driver int
		runs               bool
	}{
		{90, 12020, false}, {90, 12030, true}, {90, 12040, true}, {90, 13000, true},
		{86, 12040, false}, {89, 13000, false}, {100, 13000, false},
	} {
		if Hopper(c.capability, c.driver) != c.runs {
			t.Errorf("capability %d, CUDA %d: runs Hopper's kernels %v, want %v", c.capability, c.driver, !c.runs, c.runs)
		}
	}
	for _, name := range modules() {
		text, err := Module(name, hopper, hopperDriver-10)
		if err != nil || !strings.Contains(text, ".target sm_80\n") {
			t.Errorf("%s for CUDA 12.2: error %v, want the module for sm_80", name, err)
		}
	}
}
