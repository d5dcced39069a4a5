// What a driver must know of a PTX module to find its kernels. Instructions are
// not read.
#pragma once

#include <string>
#include <vector>

namespace emulator {

struct PtxEntry {
  std::string name;
  std::vector<int> parameters; // bytes of each, without the mark
  bool marked = false;         // the last parameter is NAME_mark, see tools/ptxgen
  int max_threads = 1024;      // .maxntid
};

struct PtxModule {
  int version = 0;    // 10 major + minor
  int target = 0;     // 10 major + minor of the compute capability
  bool exact = false; // sm_90a: for that capability only
  std::vector<PtxEntry> entries;
};

// parse_ptx returns false and an explanation if the text is no PTX module.
bool parse_ptx(const std::string& text, PtxModule& module, std::string& problem);

} // namespace emulator
