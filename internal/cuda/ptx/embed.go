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

// Module returns the PTX of a module, such as "conv", for a device of the given
// compute capability, ten times major plus minor: 86 is 8.6. What is written for
// 8.0 runs on everything later; what is written for Hopper runs on 9.0 alone.
func Module(name string, capability int) (string, error) {
	if capability < oldest {
		return "", fmt.Errorf("ptx: the kernels want compute capability 8.0 or newer, the device has %d.%d", capability/10, capability%10)
	}
	if capability == hopper {
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
