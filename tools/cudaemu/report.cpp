#include "report.h"

#include <cstdio>

namespace emulator {
namespace {

std::string format_list(const char* pattern, va_list list) {
  char text[1024];
  vsnprintf(text, sizeof text, pattern, list);
  return text;
}

} // namespace

std::string format(const char* pattern, ...) {
  va_list list;
  va_start(list, pattern);
  std::string text = format_list(pattern, list);
  va_end(list);
  return text;
}

void report(const char* pattern, ...) {
  va_list list;
  va_start(list, pattern);
  const std::string text = "emulated CUDA driver: " + format_list(pattern, list) + "\n";
  va_end(list);
  fputs(text.c_str(), stderr);
}

} // namespace emulator
