//go:build gpu

package driver

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// child is the environment variable that makes TestReport print what it finds: the
// driver is looked up once, when a program starts.
const child = "EDM_DRIVER_TEST_CHILD"

// TestReport is what the other tests run in a program of its own; by itself it runs
// one with the driver as it is.
func TestReport(t *testing.T) {
	if os.Getenv(child) != "" {
		report()
		return
	}
	n, _ := Count()
	if got, want := with(t), fmt.Sprintf("count %d: ", n); !strings.Contains(got, want) {
		t.Errorf("a program with the same driver prints\n%swant %q in it", got, want)
	}
}

// report prints what Count and Open return.
func report() {
	n, err := Count()
	fmt.Printf("count %d: %v\n", n, err)
	d, err := Open(0)
	fmt.Printf("open %t: %v\n", d != nil, err)
	if d != nil {
		fmt.Printf("tensor map: %v\n", tryTensorMap(d))
	}
	for _, known := range []error{ErrNoDriver, ErrBadDriver, ErrOldDriver, ErrNoDevice, ErrOldDevice} {
		if errors.Is(err, known) {
			fmt.Printf("missing: %v\n", known)
		}
	}
	fmt.Printf("code: %v\n", OutOfMemory)
}

// with runs the program as a child with variables of the environment set.
func with(t *testing.T, settings ...string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestReport$")
	cmd.Env = append(append(os.Environ(), child+"=1"), settings...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("the program does not run with %v: %v\n%s", settings, err, out)
	}
	return string(out)
}

func TestNoDriver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "libcuda.so.1")
	for _, c := range []struct{ driver, why string }{
		{path, path + ": cannot open shared object file"},
		{"libc.so.6", "libc.so.6: not a CUDA driver"},
	} {
		got := with(t, "EDM_CUDA_DRIVER="+c.driver)
		for _, want := range []string{
			"count 0: driver: " + c.why, "open false: driver: " + c.why,
			"missing: " + ErrNoDriver.Error(), "code: CUDA error 2\n",
		} {
			if !strings.Contains(got, want) {
				t.Errorf("with %s:\n%swant %q in it", c.driver, got, want)
			}
		}
	}
}

// The emulated driver can be told what to lack; a real one does not listen.
func TestDriversThatLack(t *testing.T) {
	d, err := Open(0)
	if err != nil {
		t.Logf("no device to compare with: %v", err)
	} else {
		if err := tryTensorMap(d); (err == nil) != (d.Info().Major >= tensorMapMajor) {
			t.Errorf("tensor map on %v: %v", d.Info(), err)
		}
		must(t, d.Close())
	}
	emulated := err == nil && strings.Contains(d.Info().Name, "emulated")
	for setting, want := range map[string]string{
		"EDM_EMULATOR_DEVICES=0":            "missing: " + ErrNoDevice.Error(),
		"EDM_EMULATOR_DRIVER_VERSION=11080": "the NVIDIA driver offers CUDA 11.8: " + ErrOldDriver.Error(),
		"EDM_EMULATOR_CAPABILITY=7.5":       "has compute capability 7.5: " + ErrOldDevice.Error(),
		"EDM_EMULATOR_CAPABILITY=8.9":       "tensor maps want compute capability 9.0 or newer",
		"EDM_EMULATOR_CAPABILITY=9.0":       "tensor map: <nil>\n",
		"EDM_EMULATOR_CAPABILITY=9.0 EDM_EMULATOR_FAIL=cuTensorMapEncodeTiled:1:NOT_FOUND": "came with CUDA 12.0; update the NVIDIA driver",
	} {
		if !emulated {
			want = fmt.Sprintf("open %t", err == nil)
		}
		if got := with(t, strings.Split(setting, " ")...); !strings.Contains(got, want) {
			t.Errorf("with %s:\n%swant %q in it", setting, got, want)
		}
	}
}

// must fails the test on an error.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestVersions(t *testing.T) {
	for v, ok := range map[int]bool{-1: false, 11080: false, 11990: false, 12000: true, 12040: true, 13000: true} {
		err := checkVersion(v)
		if (err == nil) != ok || !ok && !errors.Is(err, ErrOldDriver) {
			t.Errorf("CUDA version %d: %v", v, err)
		}
	}
	if err := checkVersion(11080); !strings.Contains(err.Error(), "CUDA 11.8") || !strings.Contains(err.Error(), "525") {
		t.Errorf("%v: want the version and what to install", err)
	}
}

func TestCapabilities(t *testing.T) {
	for _, c := range []struct {
		major, minor int
		ok           bool
	}{{7, 5, false}, {8, 0, true}, {8, 6, true}, {9, 0, true}, {12, 0, true}} {
		err := checkCapability(Info{Name: "Card", Major: c.major, Minor: c.minor})
		if (err == nil) != c.ok || !c.ok && !errors.Is(err, ErrOldDevice) {
			t.Errorf("capability %d.%d: %v", c.major, c.minor, err)
		}
	}
	err := checkCapability(Info{Ordinal: 3, Name: "Card", Major: 7, Minor: 5})
	if !strings.Contains(err.Error(), "device 3 (Card) has compute capability 7.5") {
		t.Errorf("%v: want the device and its capability", err)
	}
}

// Codes after which a context is of no use, by the driver's numbers: errors of memory
// and of hardware, a kernel that took too long, a wrong address, a failed launch.
func TestLost(t *testing.T) {
	for _, c := range []Code{214, 226, 702, 700, 719} {
		if !c.Lost() {
			t.Errorf("%v leaves the context as it was", c)
		}
	}
	for _, c := range []Code{OutOfMemory, NoDevice, InvalidPTX, NotFound} {
		if c.Lost() {
			t.Errorf("%v loses the context", c)
		}
	}
}
