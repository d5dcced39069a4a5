// What sm_90a adds: barriers that count bytes, copies of tiles by tensor map, and
// products of a warpgroup. Only sources named *_sm90a.cu include this, after
// prelude.cuh. async.cuh and wgmma.cuh hold the device's side, one function an
// instruction; the emulator has a host twin of each.
//
// Sources of the statements below are sections of the PTX ISA: "Asynchronous
// Warpgroup Level Matrix Instructions", "Tensors" and "mbarrier".
#pragma once

// Mbarrier is a barrier in shared memory, aligned to 8 bytes. Its contents are
// the hardware's.
using Mbarrier = uint64;

// TensorMap describes an array in global memory and the box that one load copies
// of it. Device.EncodeTensorMap of package driver makes its bytes; it lies in global
// memory, aligned to 64 bytes.
struct alignas(64) TensorMap {
  unsigned char bytes[128];
};

// Swizzle says how 16-byte pieces are permuted in shared memory. Of a byte's
// address, bits 4 to 6 are changed by exclusive or with bits 7 to 9 (bytes128),
// bits 4 and 5 with bits 7 and 8 (bytes64), bit 4 with bit 7 (bytes32). So the
// pattern repeats every 1024, 512 and 256 bytes. Values are those of the matrix
// descriptor.
enum class Swizzle : unsigned { none = 0, bytes128 = 1, bytes64 = 2, bytes32 = 3 };

// Major is the dimension of an operand along which neighbours lie side by side: k,
// which is summed over, or mn, which is A's rows or B's columns.
enum class Major : int { k = 0, mn = 1 };

#ifdef EDM_EMULATOR
#include "../../../tools/cudaemu/hopper.h"
#else
#include "async.cuh"
#include "wgmma.cuh"
#endif

// align_shared returns the first address from p on that is a multiple of
// `alignment`, a power of 2, in the shared window. Dynamic shared memory is
// aligned to less than swizzled tiles want.
DEVICE unsigned char* align_shared(unsigned char* p, unsigned alignment) {
  return p + (-shared_address(p) & (alignment - 1));
}

// ---- operands of wgmma in shared memory
//
// A matrix of bfloat16 is made of pieces of 8 rows of 16 bytes. W is the width of
// the swizzle in bytes: 128, 64 or 32. A tile of 8 rows of W bytes, one after the
// other, is an atom; it starts where the pattern does, at a multiple of 8 W bytes.
//
// K-major: a row is one index of M or N, its W/2 elements are indices of K.
//   Atoms of the next 8 rows lie `stride` bytes on. `leading` is not used; 16 is
//   what the ISA assumes. The next 16 indices of K within an atom start 32 bytes
//   on: the hardware swizzles the address after it has added everything up.
// MN-major: a row is one index of K, its W/2 elements are indices of M or N.
//   Atoms of the next 8 indices of K lie `stride` bytes on, atoms of the next W/2
//   indices of M or N `leading` bytes on. The next 16 indices of K start
//   2 stride bytes on.
// Without a swizzle W is 16, and atoms need 16 bytes of alignment only.
//   K-major: the next 8 rows lie `stride` bytes on, the next 8 indices of K
//   `leading` bytes on.
//   MN-major: the two offsets change places: the next 8 indices of M or N lie
//   `stride` bytes on, the next 8 indices of K `leading` bytes on.
// (Sections "Major-ness supported by Strides", "Canonical Layouts" and "Matrix
// Descriptor Format".)

// wgmma_operand returns the descriptor of an operand that begins at `shared`.
// The address and both offsets are multiples of 16 bytes, below 256 KiB. The base
// offset is 0: atoms start where the pattern does.
DEVICE uint64 wgmma_operand(const void* shared, unsigned leading, unsigned stride,
                            Swizzle swizzle) {
  const auto field = [](unsigned bytes) { return (uint64)((bytes & 0x3ffffu) >> 4); };
  return field(shared_address(shared)) | field(leading) << 16 | field(stride) << 32 |
         (uint64)swizzle << 62;
}

// wgmma_advance returns the descriptor of the operand that begins that many bytes
// further on, a multiple of 16.
DEVICE uint64 wgmma_advance(uint64 operand, unsigned bytes) { return operand + (bytes >> 4); }
