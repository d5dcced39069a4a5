// The shared memory of one running block.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

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

  unsigned char* base() const { return base_; }
  bool holds(const void* address, size_t bytes) const;

  // The shared window is what 18-bit addresses of shared memory count in.
  unsigned window(const void* address) const;
  unsigned char* at(unsigned window) const;

  // Copies by tensor map and wgmma see shared memory as the last publish left it,
  // and what copies have written since. Here are the same bytes as they see them.
  void publish();
  const unsigned char* seen_async(const void* address);
  void write_async(unsigned window, const void* from, size_t bytes);
  // poison makes bytes undefined for everybody.
  void poison(void* address, size_t bytes);

  // describe says where an address lies relative to this memory, or nothing if
  // it is not near.
  std::string describe(const void* address) const;

private:
  unsigned char* lowest_ = nullptr;
  unsigned char* end_ = nullptr; // of what is accessible
  unsigned char* base_ = nullptr;
  size_t bytes_ = 0;
  std::vector<unsigned char> async_; // the window, once the block has used it
};

} // namespace emulator
