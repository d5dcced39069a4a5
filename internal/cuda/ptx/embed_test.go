//go:build gpu

package ptx

import (
	"strings"
	"testing"
)

func TestModuleByCapability(t *testing.T) {
	for _, capability := range []int{80, 86, 89, 90, 100, 120} {
		text, err := Module("conv", capability)
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
	if _, err := Module("conv", 75); err == nil || !strings.Contains(err.Error(), "7.5") {
		t.Errorf("capability 7.5: error %v, want one that names it", err)
	}
	if _, err := Module("convex", 80); err == nil || !strings.Contains(err.Error(), "conv,") {
		t.Errorf("unknown module: error %v, want one that lists the modules", err)
	}
}
