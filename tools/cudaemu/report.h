// Text about what a program did wrong, for its author: error codes alone do not
// say where.
#pragma once

#include <cstdarg>
#include <string>

namespace emulator {

[[gnu::format(printf, 1, 2)]] std::string format(const char* pattern, ...);

// report writes a line to standard error.
[[gnu::format(printf, 1, 2)]] void report(const char* pattern, ...);

} // namespace emulator
