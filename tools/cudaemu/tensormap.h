// Tensor maps: their opaque bytes and the boxes that they describe.
#pragma once

#include "abi.h"

#include <cstdint>
#include <string>

namespace emulator {

constexpr int most_dimensions = 5;

// Tensor is what a map says: an array in global memory, dimension 0 innermost, and
// the box of it that one load copies.
struct Tensor {
  unsigned char* base;
  uint64_t sizes[most_dimensions];   // elements
  uint64_t strides[most_dimensions]; // bytes; of dimension 0 an element's
  uint32_t box[most_dimensions];     // elements
  int rank;
  int swizzle; // bytes: 0, 32, 64 or 128

  uint64_t element() const { return strides[0]; }
  uint64_t extent() const; // bytes from base to the end of the last element
  uint64_t box_bytes() const;
};

constexpr size_t map_bytes = 128;
constexpr size_t map_alignment = 64;

// read_map returns why the bytes are no tensor map, or nothing.
std::string read_map(const void* bytes, Tensor& tensor);

// swizzled returns the address at which a swizzle puts a byte.
inline unsigned swizzled(unsigned address, int swizzle) {
  const unsigned changed = swizzle ? unsigned(swizzle) / 16 - 1 : 0; // bits of 16 bytes
  return address ^ ((address >> 7 & changed) << 4);
}

// read_row writes the box's row at those coordinates to `row`, zeros where the
// array has nothing.
void read_row(const Tensor& tensor, const int64_t* at, unsigned char* row);

} // namespace emulator
