//go:build gpu

package model_test

import (
	"os"
	"strings"
	"testing"

	"edm/model"
)

// gpus returns the devices of this build besides the processor: the first GPU in
// float32, if there is one. With EDM_REQUIRE_CUDA=1 there must be.
func gpus(t *testing.T) []*model.Device {
	t.Helper()
	if d := gpu(t, "fp32"); d != nil {
		return []*model.Device{d}
	}
	return nil
}

// gpu returns the first GPU in a precision, or nil if there is none.
func gpu(t *testing.T, precision string) *model.Device {
	t.Helper()
	d, err := model.OpenDevice("auto", 1, precision)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	if strings.HasPrefix(d.Name(), "cuda-") {
		return d
	}
	if os.Getenv("EDM_REQUIRE_CUDA") == "1" {
		t.Fatal("EDM_REQUIRE_CUDA is 1, and there is no GPU")
	}
	return nil
}
