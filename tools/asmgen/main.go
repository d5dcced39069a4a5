// Command asmgen writes the AVX2 and AVX-512 kernels of edm/internal/cpu with
// avo: kernels_amd64.s and its Go stubs. Run it through go generate in
// internal/cpu; the output depends on nothing but this source.
package main

import (
	. "github.com/mmcloughlin/avo/build"
)

func main() {
	ConstraintExpr("amd64")
	gemmKernels()
	mapKernels()
	reduceKernels()
	groupNormKernels()
	softmaxKernels()
	optimiserKernels()
	packKernels()
	dropoutKernel()
	Generate()
}
