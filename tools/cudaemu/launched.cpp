// Which kernels ran: EDM_EMULATOR_LAUNCHED.
#include "launched.h"

#include "report.h"

#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <set>
#include <string>

namespace emulator {

void note_launched(const char* kernel) {
  const char* file = getenv("EDM_EMULATOR_LAUNCHED");
  if (!file || !*file) return;
  static std::mutex mutex;
  static auto& noted = *new std::set<std::string>;
  const std::lock_guard<std::mutex> hold(mutex);
  if (!noted.insert(kernel).second) return;
  // At once, since a process need not end by exit.
  FILE* out = fopen(file, "a");
  const bool written = out && fprintf(out, "%s\n", kernel) > 0;
  if (!out || fclose(out) || !written) {
    report("EDM_EMULATOR_LAUNCHED=%s: want a file that can be written", file);
    exit(2);
  }
}

} // namespace emulator
