//go:build gpu

package gputest

import (
	"os"
	"strings"
	"testing"

	"edm/internal/testkit/drivertest"
	"edm/model"
)

// All returns the devices of this build besides the processor: the first GPU in
// float32, if there is one. With drivertest.Required set to 1 there must be.
func All(t testing.TB) []*model.Device {
	t.Helper()
	if d := open(t, "fp32"); d != nil {
		return []*model.Device{d}
	}
	return nil
}

// First returns the first GPU in a precision. Without one the test is skipped, or
// fails as All does.
func First(t testing.TB, precision string) *model.Device {
	t.Helper()
	d := open(t, precision)
	if d == nil {
		t.Skipf("not run, since there is no GPU (%s=1 makes this a failure)", drivertest.Required)
	}
	return d
}

// open returns the first GPU, or nil.
func open(t testing.TB, precision string) *model.Device {
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
	if os.Getenv(drivertest.Required) == "1" {
		t.Fatalf("%s is 1, and there is no GPU", drivertest.Required)
	}
	return nil
}
