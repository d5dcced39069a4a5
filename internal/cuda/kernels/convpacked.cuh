// What the products of packed operands share: convpackedforward.cuh and
// convpackedweights.cuh. It comes after gemm.cuh.
//
// Rows of shared memory are pixels or channels of the result, their columns
// bfloat16 numbers that lie next to each other in device memory too. They are
// copied, and read by ldmatrix, in pieces of 16 bytes. Pieces change places within
// a row such that eight of neighbouring rows, which one access reads, are in
// different banks.
#pragma once

namespace packed {

using gemm::THREADS;

using bfloat16 = unsigned short; // its bits

constexpr int PIECE = 8; // numbers

// offset_of returns where in a table of rows of BYTES, 32, 64 or a multiple of 128,
// a piece lies.
template <int BYTES> DEVICE int offset_of(int row, int piece) {
  constexpr int together = BYTES < 128 ? 128 / BYTES : 1; // rows that fill all banks
  constexpr int mask = (BYTES < 128 ? BYTES : 128) / 16 - 1;
  return row * BYTES + ((piece ^ ((unsigned)row / together & mask)) << 4);
}

} // namespace packed
