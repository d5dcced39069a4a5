// Memory of the devices and page-locked memory of the host. Each allocation is a
// mapping of its own between wide inaccessible ranges and ends where one begins,
// as far as its alignment allows. Contents start as NaN.
//
// The table is changed only under the driver's lock; device threads read it
// while a caller holds that lock and waits for them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace emulator {

struct Allocation {
  unsigned char* base;
  size_t bytes;
  int device; // or host_memory of it
  void* mapping;
  size_t mapped;
  uint64_t serial; // counts allocations
};

// host_memory stands for the page-locked host memory of a device's context where
// a device is asked for.
constexpr int host_memory(int device) { return -1 - device; }

// allocate returns memory of a device, or of the host; nullptr if there is none
// left. Its alignment is 256 bytes.
unsigned char* allocate(int device, size_t bytes);

// release frees an allocation by its first address. It is false for any other
// address or another kind of memory.
bool release(int device, const void* base);

// release_all frees what is left of a device's.
void release_all(int device);

size_t allocated(int device);

// find_allocation returns the allocation that has all of [address,
// address + bytes), or nullptr.
const Allocation* find_allocation(const void* address, size_t bytes);

// describe_address says where an address lies, relative to the nearest
// allocation.
std::string describe_address(const void* address);

// check_margins reports, once an allocation, writes between an allocation's end
// and its guard. It returns false if there were any.
bool check_margins();

} // namespace emulator
