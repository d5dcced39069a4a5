#include "kernels.h"

#include "report.h"

#include <map>

namespace emulator {
namespace {

struct Entry {
  Kernel kernel;
  const char* second = nullptr; // the file of another of that name
};

// Registrations run before main, in an order that is not known.
std::map<std::string, Entry>& entries() {
  static auto& all = *new std::map<std::string, Entry>;
  return all;
}

} // namespace

bool register_kernel(const Kernel& kernel) {
  const auto [at, added] = entries().insert({kernel.name, Entry{kernel}});
  if (!added) at->second.second = kernel.file;
  return true;
}

const Kernel* find_kernel(const std::string& name, std::string& problem) {
  const auto at = entries().find(name);
  if (at == entries().end()) {
    problem = format("kernel %s is not among the %zu compiled into the emulated driver: EXPORT it "
                     "in its source and build the driver again",
                     name.c_str(), entries().size());
    return nullptr;
  }
  const Entry& entry = at->second;
  if (entry.second) {
    problem = format("two kernels are named %s, in %s and %s", name.c_str(), entry.kernel.file,
                     entry.second);
    return nullptr;
  }
  return &entry.kernel;
}

} // namespace emulator
