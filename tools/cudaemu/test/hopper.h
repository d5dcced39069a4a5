// What the tests of sm_90a share.
#pragma once

#include "harness.h"

#include <cstdint>

#define HOPPER "EDM_EMULATOR_CAPABILITY=9.0"

namespace test {

// Words is an array of bfloat16, two in a word, written and read by byte.
class Words {
public:
  explicit Words(size_t bytes) : bytes_(bytes) {}
  void put(size_t byte, float x);
  float get(size_t byte) const;
  size_t size() const { return bytes_.size(); }
  std::vector<float> floats() const; // the same bits
  static Words from(const std::vector<float>& floats);

private:
  std::vector<unsigned char> bytes_;
};

// draw returns numbers that bfloat16 holds.
std::vector<float> draw(size_t count, unsigned seed);

// Array describes an array of bfloat16 and a box of it; the rest of the call's
// parameters can be changed for a test.
struct Array {
  uint64_t sizes[4] = {64, 1, 1, 1};
  uint64_t strides[3] = {128, 128, 128};
  uint32_t box[4] = {64, 1, 1, 1};
  int swizzle = 0; // CUtensorMapSwizzle
  uint32_t steps[4] = {1, 1, 1, 1};
  int type = 9, interleave = 0, fill = 0;
  unsigned rank = 4;

  size_t box_bytes() const;
  // encode returns the map's bytes for an address.
  CUresult encode(CUdeviceptr address, unsigned char* map) const;
  // map puts them on the device.
  Memory map(CUdeviceptr address) const;
};

// run_hopper runs a kernel of an sm_90a module.
CUresult run_hopper(const std::string& name, Shape shape, Arguments arguments);

} // namespace test
