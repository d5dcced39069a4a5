// Orders of execution are drawn from a seed.
#pragma once

#include <cstdint>

namespace emulator {

// mix returns well spread bits of x (the finaliser of SplitMix64).
inline uint64_t mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15ull;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ x >> 27) * 0x94d049bb133111ebull;
  return x ^ x >> 31;
}

// Random is a sequence of such numbers.
class Random {
public:
  explicit Random(uint64_t seed) : state_(mix(seed)) {}
  uint64_t next() { return mix(state_++); }
  // below returns a number less than n; n is small, so the bias is too.
  unsigned below(unsigned n) { return unsigned((next() >> 32) * n >> 32); }

private:
  uint64_t state_;
};

} // namespace emulator
