//go:build gpu

package drivertest

import (
	"errors"
	"os"
	"testing"

	"edm/internal/cuda/driver"
)

// Required is the environment variable that makes a missing device a failure,
// set to 1: where a device ought to be, a test that did not run must show.
const Required = "EDM_REQUIRE_CUDA"

// Need stops the test where err says that there is no driver or no device that
// will do: it skips the test, or fails it if Required asks for that. Any other
// error fails the test.
func Need(t testing.TB, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if !missing(err) || os.Getenv(Required) == "1" {
		t.Fatalf("no CUDA device for this test: %v", err)
	}
	t.Skipf("not run, since no CUDA device was found: %v (%s=1 makes this a failure)", err, Required)
}

// Open returns the first device, closed when the test ends.
func Open(t testing.TB) *driver.Device {
	t.Helper()
	d, err := driver.Open(0)
	Need(t, err)
	t.Cleanup(func() {
		if err := d.Close(); err != nil && !errors.Is(err, driver.ErrClosed) {
			t.Errorf("close the CUDA device: %v", err)
		}
	})
	return d
}

func missing(err error) bool {
	for _, known := range []error{driver.ErrNoDriver, driver.ErrBadDriver, driver.ErrOldDriver, driver.ErrNoDevice, driver.ErrOldDevice} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}
