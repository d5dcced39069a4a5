//go:build gpu

package cuda

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var (
	kernelHead  = regexp.MustCompile(`(?s)KERNEL\s+void\s+LAUNCH_BOUNDS\((\d+), *\w+\)\s+(\w+)\((.*?)\)\s*\{`)
	plainMacro  = regexp.MustCompile(`(?m)^#define (\w+) (.*)$`)
	kernelMacro = regexp.MustCompile(`(?m)^#define (\w+)\((\w+)\)(.*)$`)
)

// head is what a source says of a kernel.
type head struct {
	threads    int      // that a block may have
	parameters []string // types
}

// sourceOf returns the name of a module's source: one for Hopper alone says so.
func sourceOf(module string) string {
	const hopper = "_sm90a.cu"
	if _, err := os.Stat("kernels/" + module + hopper); err == nil {
		return module + hopper
	}
	return module + ".cu"
}

// heads returns the kernels of a module's source by name.
func heads(t *testing.T, module string) map[string]head {
	t.Helper()
	data, err := os.ReadFile("kernels/" + sourceOf(module))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(data), "\\\n", " ")
	for _, m := range plainMacro.FindAllStringSubmatch(text, -1) {
		text = regexp.MustCompile(`\b`+m[1]+`\b`).ReplaceAllString(text, m[2])
	}
	for _, m := range kernelMacro.FindAllStringSubmatch(text, -1) {
		for _, use := range regexp.MustCompile(`(?m)^`+m[1]+`\((\w+)\)$`).FindAllStringSubmatch(text, -1) {
			text += strings.ReplaceAll(m[3], "##"+m[2], use[1]) + "\n"
		}
	}
	all := map[string]head{}
	for _, m := range kernelHead.FindAllStringSubmatch(text, -1) {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		h := head{threads: n}
		for _, p := range strings.Split(m[3], ",") {
			words := strings.Fields(strings.ReplaceAll(p, "*", "* "))
			h.parameters = append(h.parameters, strings.Join(words[:len(words)-1], " "))
		}
		all[m[2]] = h
	}
	return all
}

// checkArguments fails unless a launch has the arguments that the kernel's source
// asks for, and a block and a grid that every device takes.
func checkArguments(t *testing.T, h head, ok bool, l launch) {
	t.Helper()
	if !ok {
		t.Fatalf("kernel %s.%s is not in the source", l.module, l.name)
	}
	if len(h.parameters) != len(l.args) {
		t.Fatalf("kernel %s.%s: %d arguments, want %d: %v", l.module, l.name, len(l.args), len(h.parameters), h.parameters)
	}
	for i, want := range h.parameters {
		if want != "const TensorMap*" && strings.HasSuffix(want, "*") {
			want = "pointer"
		}
		got := map[string]string{"cuda.pointer": "pointer", "cuda.tensorMap": "const TensorMap*", "int32": "int", "uint32": "unsigned", "int64": "int64", "float32": "float"}[fmt.Sprintf("%T", l.args[i])]
		if got != want {
			t.Fatalf("kernel %s.%s: argument %d is a %T, want %s", l.module, l.name, i, l.args[i], h.parameters[i])
		}
	}
	threads := l.block[0] * l.block[1] * l.block[2]
	if threads < 32 || threads > h.threads || threads%32 != 0 {
		t.Fatalf("kernel %s.%s: %d threads a block, want whole warps, at most %d", l.module, l.name, threads, h.threads)
	}
	if g := l.grid; min(g[0], g[1], g[2]) < 1 || g[0] > math.MaxInt32 || max(g[1], g[2]) > 65535 {
		t.Fatalf("kernel %s.%s: grid %v", l.module, l.name, g)
	}
	most := maxShared
	if strings.HasSuffix(sourceOf(l.module), "_sm90a.cu") {
		most = 227 << 10
	}
	if l.shared > most {
		t.Fatalf("kernel %s.%s: %d bytes of shared memory, want at most %d", l.module, l.name, l.shared, most)
	}
}

// TestDivisor: a divisor's product is the quotient for every kind of number.
func TestDivisor(t *testing.T) {
	quotient := func(n uint32, d divisor) uint32 { return uint32(uint64(n) * uint64(d.factor) >> d.shift) }
	check := func(n, d int) {
		if n < 0 || n >= 1<<31 {
			return
		}
		if got := quotient(uint32(n), newDivisor(d)); got != uint32(n/d) {
			t.Fatalf("%d / %d is %d, want %d", n, d, got, n/d)
		}
	}
	for d := 1; d < 1<<31; d += 1 + d/7 {
		for _, base := range []int{0, d, 2 * d, (1<<31 - 1) / d * d, 1 << 30, 1<<31 - 1} {
			for n := base - 2; n <= base+2; n++ {
				check(n, d)
			}
		}
	}
}
