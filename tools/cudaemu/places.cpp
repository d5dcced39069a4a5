#include "places.h"

#include "report.h"

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <dlfcn.h>

namespace emulator {
namespace {

// shortened returns file:line without folders, or nothing if it is not known.
std::string shortened(std::string line) {
  line.erase(line.find_first_of(" \n"));
  if (line.find('?') != std::string::npos) return {};
  return line.substr(line.rfind('/') + 1);
}

// looked_up asks addr2line for the lines of an offset in a file.
std::string looked_up(const char* file, uintptr_t offset) {
  const std::string command =
      format("addr2line -i -e '%s' %#zx 2>/dev/null", file, size_t(offset));
  FILE* answer = popen(command.c_str(), "r");
  if (!answer) return {};
  std::string all;
  char line[1024];
  while (fgets(line, sizeof line, answer)) {
    const std::string place = shortened(line);
    if (place.empty()) continue;
    all += (all.empty() ? "" : " from ") + place;
  }
  pclose(answer);
  return all;
}

} // namespace

std::string place_of(const void* code) {
  const void* call = static_cast<const char*>(code) - 1;
  Dl_info info;
  if (!dladdr(call, &info) || !info.dli_fname) return format("%p", code);
  const auto offset = static_cast<const char*>(call) - static_cast<const char*>(info.dli_fbase);
  const std::string place = looked_up(info.dli_fname, uintptr_t(offset));
  if (!place.empty()) return place;
  return format("%s+%#tx (addr2line knows no line)", info.dli_fname, offset);
}

} // namespace emulator
