//go:build gpu

package cuda

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"edm/internal/testkit/drivertest"
)

var ptxEntry = regexp.MustCompile(`\.entry (\w+)\(`)

// TestModulesLoad: the driver compiles every PTX that is for its device, and
// knows every kernel in it. The log says what each takes; a kernel with local
// memory has spilled, or has an array that the compiler could not unroll.
func TestModulesLoad(t *testing.T) {
	d := drivertest.Open(t)
	paths, err := filepath.Glob(filepath.Join("ptx", "*.ptx"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no PTX in the folder ptx: %v", err)
	}
	hopper := hasWGMMA(d.Info())
	for _, path := range paths {
		if strings.HasSuffix(path, "_sm90a.ptx") && !hopper {
			t.Logf("%s is for compute capability 9.0 alone, with a driver that knows its PTX", path)
			continue
		}
		text, err := os.ReadFile(path)
		must(t, err)
		m, err := d.LoadModule(filepath.Base(path), string(text))
		if err != nil {
			t.Error(err) // with the compiler's log
			continue
		}
		for _, entry := range ptxEntry.FindAllStringSubmatch(string(text), -1) {
			f, err := m.Function(entry[1])
			if err != nil {
				t.Error(err)
				continue
			}
			u, err := f.Usage()
			must(t, err)
			t.Logf("%s: %d registers, %d bytes of local memory, up to %d threads", f.Name(), u.Registers, u.Local, u.MaxThreads)
			if u.Local > 0 {
				t.Errorf("%s has %d bytes of local memory, want none", f.Name(), u.Local)
			}
		}
		must(t, m.Close())
	}
}
