// Command asmgen writes the AVX2 and AVX-512 kernels of edm/internal/cpu with
// avo: one set of them to one assembly file and its Go stubs. Run it through go
// generate in internal/cpu; the output depends on nothing but this source.
package main

import (
	"flag"
	"fmt"
	"os"
	"sort"
	"strings"

	. "github.com/mmcloughlin/avo/build"
)

// sets are the kernels by the file that they go to.
var sets = map[string]func(){
	"gemm":     gemmKernels,
	"vector":   vectorKernels,
	"peak":     peakKernels,
	"winograd": winogradKernels,
}

func main() {
	set := flag.String("set", "", "kernels to write: "+strings.Join(names(), ", "))
	flag.Parse()
	write, ok := sets[*set]
	if !ok {
		fmt.Fprintf(os.Stderr, "asmgen: no set %q, want one of %s\n", *set, strings.Join(names(), ", "))
		os.Exit(2)
	}
	ConstraintExpr("amd64")
	write()
	Generate()
}

func names() []string {
	var all []string
	for name := range sets {
		all = append(all, name)
	}
	sort.Strings(all)
	return all
}
