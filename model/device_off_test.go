//go:build !gpu

package model_test

import (
	"strings"
	"testing"

	"edm/model"
)

// Without CUDA in the build the processor is the automatic choice, and a GPU that
// was asked for is an error with the way out.
func TestBuiltWithoutCUDA(t *testing.T) {
	d, err := model.OpenDevice("auto", 1, "bf16")
	if err != nil || !strings.HasPrefix(d.Name(), "cpu") {
		t.Fatalf("opened %v, %v; want the processor", d, err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if _, err := model.OpenDevice("cuda:1", 1, "fp32"); err == nil || !strings.Contains(err.Error(), "make cuda") || !strings.Contains(err.Error(), "cuda:1") {
		t.Errorf("cuda:1: %v", err)
	}
}
