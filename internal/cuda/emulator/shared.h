// The shared memory of one running block.
#pragma once

#include <cstddef>
#include <string>

namespace emulator {

// SharedMemory ends where an inaccessible page begins. Below it, and in what
// rounds it up to 16 bytes, is a pattern that check looks at.
class SharedMemory {
public:
  static constexpr size_t capacity = 256 << 10; // more than any device gives a block

  SharedMemory();
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  // begin fills `bytes` with NaN and returns their start, aligned to 16 bytes
  // and, where the size allows it, no more.
  unsigned char* begin(size_t bytes);

  // check returns what was written outside, or nothing.
  std::string check() const;

  bool holds(const void* address, size_t bytes) const;

  // describe says where an address lies relative to this memory, or nothing if
  // it is not near.
  std::string describe(const void* address) const;

private:
  unsigned char* lowest_ = nullptr;
  unsigned char* end_ = nullptr; // of what is accessible
  unsigned char* base_ = nullptr;
  size_t bytes_ = 0;
};

} // namespace emulator
