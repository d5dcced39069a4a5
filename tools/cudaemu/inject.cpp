// Faults on demand: EDM_EMULATOR_FAIL.
#include "inject.h"

#include "report.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <string>
#include <vector>

namespace emulator {
namespace {

struct Demand {
  std::string name;
  long long count;
  CUresult error;
};

std::vector<Demand>& demands() {
  static auto& all = *new std::vector<Demand>;
  return all;
}

[[noreturn]] void reject(const std::string& part) {
  report("EDM_EMULATOR_FAIL: %s: want name:count or name:count:error, as cuMemAlloc:2:OUT_OF_MEMORY",
         part.c_str());
  exit(2);
}

CUresult error_of(const std::string& text, const std::string& part) {
  if (text.empty()) return CUDA_ERROR_LAUNCH_FAILED;
  if (isdigit((unsigned char)text[0])) return CUresult(atoi(text.c_str()));
  CUresult error;
  if (!error_named(text.rfind("CUDA_ERROR_", 0) ? "CUDA_ERROR_" + text : text, error)) reject(part);
  return error;
}

Demand parse(const std::string& part) {
  std::istringstream in(part);
  std::string name, count, code;
  std::getline(in, name, ':');
  std::getline(in, count, ':');
  std::getline(in, code);
  const long long number = atoll(count.c_str());
  if (name.empty() || number < 1) reject(part);
  return {base_name(name), number, error_of(code, part)};
}

} // namespace

std::string base_name(std::string name) {
  const size_t end = name.size();
  if (end > 3 && name[end - 3] == '_' && name[end - 2] == 'v') name.resize(end - 3);
  return name;
}

void read_demands() {
  demands().clear();
  const char* text = getenv("EDM_EMULATOR_FAIL");
  std::istringstream in(text ? text : "");
  for (std::string part; std::getline(in, part, ',');) demands().push_back(parse(part));
}

CUresult injected(const char* name) {
  CUresult error = CUDA_SUCCESS;
  for (Demand& d : demands()) {
    if (d.name == name && --d.count == 0) error = d.error;
  }
  if (error) report("%s fails with error %d, as EDM_EMULATOR_FAIL demands", name, error);
  return error;
}

} // namespace emulator
