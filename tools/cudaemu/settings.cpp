#include "settings.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace emulator {
namespace {

Settings& current() {
  static Settings s;
  return s;
}

[[noreturn]] void reject(const char* name, const char* value, const char* wanted) {
  fprintf(stderr, "emulated CUDA driver: %s=%s: want %s\n", name, value, wanted);
  exit(2);
}

long long number(const char* name, long long otherwise, long long least, const char* wanted) {
  const char* text = getenv(name);
  if (!text || !*text) return otherwise;
  char* end = nullptr;
  errno = 0;
  const long long value = strtoll(text, &end, 10);
  if (errno || *end || value < least) reject(name, text, wanted);
  return value;
}

void read_capability(Settings& s) {
  const char* name = "EDM_EMULATOR_CAPABILITY";
  const char* text = getenv(name);
  if (!text || !*text) return;
  char rest = 0;
  if (sscanf(text, "%d.%d%c", &s.major, &s.minor, &rest) != 2) {
    reject(name, text, "major.minor, as 8.6");
  }
}

void read_streams(Settings& s) {
  const char* name = "EDM_EMULATOR_STREAMS";
  const char* text = getenv(name);
  if (!text || !*text || !strcmp(text, "late")) return;
  if (strcmp(text, "eager")) reject(name, text, "late or eager");
  s.eager = true;
}

void read_copies(Settings& s) {
  const char* name = "EDM_EMULATOR_COPIES";
  const char* text = getenv(name);
  if (!text || !*text || !strcmp(text, "drawn")) return;
  if (strcmp(text, "late") && strcmp(text, "eager")) reject(name, text, "late, eager or drawn");
  s.copies = *text == 'l' ? Moment::late : Moment::eager;
}

void read_sums(Settings& s) {
  const char* name = "EDM_EMULATOR_SUMS";
  const char* text = getenv(name);
  if (!text || !*text || !strcmp(text, "round")) return;
  if (strcmp(text, "truncate")) reject(name, text, "round or truncate");
  s.truncates = true;
}

} // namespace

const Settings& settings() { return current(); }

void read_settings() {
  Settings s;
  s.devices = int(number("EDM_EMULATOR_DEVICES", s.devices, 0, "the number of devices"));
  s.memory = size_t(number("EDM_EMULATOR_MEMORY", (long long)s.memory, 1, "bytes of each device"));
  s.driver_version = int(number("EDM_EMULATOR_DRIVER_VERSION", s.driver_version, 1000,
                                "1000 major + 10 minor, as 12040"));
  s.seed = uint64_t(number("EDM_EMULATOR_SEED", 1, 0, "a number that is not negative"));
  s.threads = int(number("EDM_EMULATOR_THREADS", 0, 0, "the number of threads"));
  read_capability(s);
  read_streams(s);
  read_copies(s);
  read_sums(s);
  current() = s;
}

Limits limits() {
  const int capability = 10 * settings().major + settings().minor;
  switch (capability) {
  case 80:
  case 87:
    return {163 << 10, 164 << 10, 2048, 32};
  case 86:
    return {99 << 10, 100 << 10, 1536, 16};
  case 89:
    return {99 << 10, 100 << 10, 1536, 24};
  case 90:
  case 100:
  case 103:
    return {227 << 10, 228 << 10, 2048, 32};
  case 120:
    return {99 << 10, 100 << 10, 1536, 24};
  default: // 7.5 and what else is too old or unknown
    return {64 << 10, 64 << 10, 1024, 16};
  }
}

} // namespace emulator
