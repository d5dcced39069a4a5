// Package cpu runs the network's operations on a processor: engine.Backend in
// Go and assembly, without cgo.
//
// Three sets of primitives exist (kernels.go): plain Go, AVX2 with FMA, and
// AVX-512 where wider vectors are faster. The best that the processor has is
// chosen when a backend is made; GODEBUG=cpu.avx512f=off, GODEBUG=cpu.avx2=off
// and Options.Portable take sets away. The assembly is generated (tools/asmgen)
// and every primitive has a Go twin that passes the same tests.
//
// 3x3 convolutions and their gradients run by Winograd's F(4x4,3x3) where that
// is faster. Direct convolutions, attention and linear layers are matrix products
// on register tiles that read their operands where they are, so that none needs
// an im2col matrix. What is bound by memory is one vector loop each.
//
// The same bits come out for any number of threads: work is split into chunks
// that depend on shapes alone, chunks are claimed in any order but write
// separate results, and sums over chunks are taken in their order. A result
// that belongs to one image does not depend on the batch around it. AVX2 and
// AVX-512 agree bit for bit, plain Go agrees to rounding.
//
// README.md has the measured rates and what bounds them.
package cpu

//go:generate go run -C ../../tools ./asmgen -set gemm -out ../internal/cpu/gemm_amd64.s -stubs ../internal/cpu/gemm_amd64.go -pkg cpu
//go:generate go run -C ../../tools ./asmgen -set vector -out ../internal/cpu/vector_amd64.s -stubs ../internal/cpu/vector_amd64.go -pkg cpu
//go:generate go run -C ../../tools ./asmgen -set peak -out ../internal/cpu/peak_amd64.s -stubs ../internal/cpu/peak_amd64.go -pkg cpu
//go:generate go run -C ../../tools ./asmgen -set winograd -out ../internal/cpu/winograd_amd64.s -stubs ../internal/cpu/winograd_amd64.go -pkg cpu
