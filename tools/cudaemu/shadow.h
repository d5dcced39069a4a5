// What is known of every four bytes of the memory that kernels access: who did
// last, and of device memory whether anything was written there. It exists while
// accesses are seen (accesses.h).
#pragma once

#include "memory.h"
#include "races.h"

#include <cstddef>

namespace emulator {

constexpr size_t cell_bytes = 4;

// Shadow belongs to a range of memory.
struct Shadow {
  unsigned char* base = nullptr;
  size_t bytes = 0;   // of the range
  size_t rounded = 0; // with what its alignment adds, which is accessible too
  Cell* cells = nullptr;
  bool* written = nullptr; // of each cell; nullptr: all of them
};

// unwritten is a bit pattern, a NaN, which a copy from the host leaves as memory
// that nothing was written to: tests fill arrays with it that kernels must not
// read first.
constexpr unsigned unwritten = 0x7fedfeedu;

// add_shadow and remove_shadow follow the allocations.
void add_shadow(const Allocation& a, size_t rounded);
void remove_shadow(const void* base);

// find_shadow returns that of an allocation which an access begins in, its
// rounding included, or nullptr.
const Shadow* find_shadow(const void* address);

// shared_shadow returns that of the running block's shared memory.
Shadow& shared_shadow();

// note_host_write notes what a copy or a fill wrote.
void note_host_write(const void* to, size_t bytes);

} // namespace emulator
