// What every kernel source includes, first and only. The same sources are
// compiled twice: for the device by clang, without any toolkit header, and for
// the host, with EDM_EMULATOR, as the emulated driver's kernels.
//
//   KERNEL void LAUNCH_BOUNDS(256, 2) scale(const float* x, float* y, int n) {...}
//   EXPORT(scale)
//
// KERNEL         linkage and attributes of a kernel
// LAUNCH_BOUNDS  threads of a block, and blocks wanted at once on a multiprocessor
// EXPORT         makes a kernel known by its name, on its own line after the body
// DEVICE         what a function that kernels call begins with
//
// Parameters are pointers to global memory, int, unsigned, long long and float.
// Shared memory is what shared_memory<T>() returns and nothing else.
#pragma once

using uint8 = unsigned char;
using int32 = int;
using uint32 = unsigned;
using int64 = long long;
using uint64 = unsigned long long;

#ifdef EDM_EMULATOR
#include "../../../tools/cudaemu/device.h"
#else

#define __global__ __attribute__((global))
#define __device__ __attribute__((device))
#define __host__ __attribute__((host))
#define __shared__ __attribute__((shared))
#define __constant__ __attribute__((constant))
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...) __attribute__((launch_bounds(__VA_ARGS__)))

#include "__clang_cuda_builtin_vars.h" // threadIdx, blockIdx, blockDim, gridDim

#define KERNEL extern "C" __global__
#define DEVICE static __device__ __forceinline__
#define LAUNCH_BOUNDS(threads, blocks) __launch_bounds__(threads, blocks)
#define EXPORT(name)

#include "primitives.cuh"
#endif

#include "mathfn.cuh"
