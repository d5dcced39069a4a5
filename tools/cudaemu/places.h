// Places in the sources, from addresses of code.
#pragma once

#include <string>

namespace emulator {

// place_of says where a call returns to: the innermost source and line first, and
// what it was inlined into. It wants addr2line, and debug information.
std::string place_of(const void* code);

} // namespace emulator
