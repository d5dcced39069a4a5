// Package ptx holds the CUDA kernels as PTX, NVIDIA's portable assembly, which
// the driver compiles for the device that it finds. They are generated from
// internal/cuda/kernels by `make ptx`, which needs clang 19 and no CUDA toolkit,
// and committed, so that nobody else needs a compiler for them. The header of
// each file names its sources with their hashes; a test compares them.
//
// resources.tsv holds the registers, shared memory, stack and spills of every
// kernel as NVIDIA's assembler reports them; .ci/ptxas.sh compares it.
package ptx
