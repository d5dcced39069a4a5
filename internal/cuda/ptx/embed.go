//go:build gpu

package ptx

import (
	"embed"
	"fmt"
	"strings"
)

//go:embed *.ptx
var files embed.FS

// The compute capabilities at which another set of kernels begins, ten times
// major plus minor.
const (
	oldest = 80
	hopper = 90
)

// hopperDriver is the least CUDA version of a driver that knows PTX 8.3, in which
// the kernels for Hopper are written: 12.3, which is NVIDIA's driver 545. It counts
// as the driver does, 1000 times the major version and 10 times the minor.
const hopperDriver = 12030

// Hopper tells whether a device of that compute capability, ten times major plus
// minor, with a driver of that CUDA version runs what is written for Hopper.
func Hopper(capability, driver int) bool {
	return capability == hopper && driver >= hopperDriver
}

// Module returns the PTX of a module, such as "conv", for a device of the given
// compute capability, ten times major plus minor - 86 is 8.6 - and a driver of the
// given CUDA version. What is written for 8.0 runs on everything later; what is
// written for Hopper runs on 9.0 alone.
func Module(name string, capability, driver int) (string, error) {
	if capability < oldest {
		return "", fmt.Errorf("ptx: the kernels want compute capability 8.0 or newer, the device has %d.%d", capability/10, capability%10)
	}
	if Hopper(capability, driver) {
		if text, err := files.ReadFile(name + "_sm90a.ptx"); err == nil {
			return string(text), nil
		}
	}
	text, err := files.ReadFile(name + "_sm80.ptx")
	if err != nil {
		return "", fmt.Errorf("ptx: no module %q, want one of %s", name, strings.Join(modules(), ", "))
	}
	return string(text), nil
}

// modules returns the names that Module knows.
func modules() []string {
	entries, err := files.ReadDir(".")
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), "_sm80.ptx"); ok {
			names = append(names, name)
		}
	}
	return names
}
