// A call's place in the sources of a kernel.
#pragma once

#include <string>

namespace emulator {

struct Site {
  const char* file = nullptr;
  int line = 0;
  bool operator==(const Site& o) const;
  std::string name() const; // file:line
};

} // namespace emulator
