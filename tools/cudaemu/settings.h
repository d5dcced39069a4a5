// What the environment says about the emulated machine.
#pragma once

#include <cstddef>
#include <cstdint>

namespace emulator {

// Moment is when what may be late is done: as late or as soon as it can be, or one
// of them, drawn for each.
enum class Moment { late, eager, drawn };

// Settings are the EDM_EMULATOR_ variables, see README.md.
struct Settings {
  int devices = 1;
  int major = 8, minor = 6;
  size_t memory = size_t(4) << 30; // bytes a device
  int driver_version = 12040;
  uint64_t seed = 1;
  int threads = 0; // 0: one for each processor
  bool eager = false; // streams
  Moment copies = Moment::drawn;
  bool truncates = false; // sums of matrix instructions
};

// settings returns what read_settings last read.
const Settings& settings();

// read_settings reads the environment again; what is malformed is reported and
// ends the process, since a test would otherwise test something else.
void read_settings();

// Limits of a multiprocessor, from the compute capability.
struct Limits {
  int shared_optin;          // bytes a block may ask for
  int shared_multiprocessor; // bytes
  int threads_multiprocessor;
  int blocks_multiprocessor;
};
Limits limits();

constexpr int shared_default = 48 << 10; // bytes without cuFuncSetAttribute

} // namespace emulator
