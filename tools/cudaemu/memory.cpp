#include "memory.h"

#include "report.h"
#include "shadow.h"

#include <cstring>
#include <map>
#include <sys/mman.h>

namespace emulator {
namespace {

constexpr size_t page = 4096;
constexpr size_t alignment = 256;
// guard is inaccessible before and after each allocation. It takes addresses, not
// memory, and is wide so that an index which is far off does not leap over it.
constexpr size_t guard = 16 << 20;
constexpr unsigned char margin_pattern = 0xff; // NaN for readers

using Table = std::map<uintptr_t, Allocation>;

Table& table() {
  static Table& t = *new Table; // outlives the exit handlers: threads still read it
  return t;
}

uint64_t next_serial() {
  static uint64_t serial = 0;
  return ++serial;
}

uintptr_t number(const void* address) { return reinterpret_cast<uintptr_t>(address); }

// margin_end is where the guard after an allocation begins.
const unsigned char* margin_end(const Allocation& a) {
  return static_cast<unsigned char*>(a.mapping) + a.mapped - guard;
}

void unmap(const Allocation& a) {
  remove_shadow(a.base);
  munmap(a.mapping, a.mapped);
}

std::string what(const Allocation& a) {
  return format("the %zu bytes of %s memory at %p (allocation %llu)", a.bytes,
                a.device < 0 ? "page-locked host" : "device", static_cast<void*>(a.base),
                static_cast<unsigned long long>(a.serial));
}

// distance from an allocation: 0 inside.
uintptr_t distance(const Allocation& a, uintptr_t at) {
  if (at < number(a.base)) return number(a.base) - at;
  const uintptr_t end = number(a.base) + a.bytes;
  return at < end ? 0 : at - end + 1;
}

} // namespace

unsigned char* allocate(int device, size_t bytes) {
  const size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  const size_t body = (rounded + page - 1) / page * page;
  const size_t all = body + 2 * guard;
  if (all < bytes) return nullptr;
  void* mapping =
      mmap(nullptr, all, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) return nullptr;
  unsigned char* start = static_cast<unsigned char*>(mapping) + guard;
  if (mprotect(start, body, PROT_READ | PROT_WRITE)) {
    munmap(mapping, all);
    return nullptr;
  }
  memset(start, margin_pattern, body);
  unsigned char* base = start + body - rounded;
  const Allocation& a = table()[number(base)] = {base, bytes, device, mapping, all, next_serial()};
  add_shadow(a, rounded);
  return base;
}

bool release(int device, const void* base) {
  auto at = table().find(number(base));
  if (at == table().end() || at->second.device != device) return false;
  unmap(at->second);
  table().erase(at);
  return true;
}

void release_all(int device) {
  for (auto at = table().begin(); at != table().end();) {
    if (at->second.device != device) {
      ++at;
      continue;
    }
    unmap(at->second);
    at = table().erase(at);
  }
}

size_t allocated(int device) {
  size_t sum = 0;
  for (const auto& entry : table()) {
    if (entry.second.device == device) sum += entry.second.bytes;
  }
  return sum;
}

const Allocation* find_allocation(const void* address, size_t bytes) {
  auto at = table().upper_bound(number(address));
  if (at == table().begin()) return nullptr;
  const Allocation& a = (--at)->second;
  const uintptr_t offset = number(address) - number(a.base);
  return offset <= a.bytes && a.bytes - offset >= bytes ? &a : nullptr;
}

std::string describe_address(const void* address) {
  const Allocation* nearest = nullptr;
  for (const auto& entry : table()) {
    const Allocation& a = entry.second;
    if (!nearest || distance(a, number(address)) < distance(*nearest, number(address))) nearest = &a;
  }
  if (!nearest) return "nothing is allocated";
  if (number(address) < number(nearest->base)) {
    return format("%zu bytes before %s", size_t(number(nearest->base) - number(address)),
                  what(*nearest).c_str());
  }
  const uintptr_t offset = number(address) - number(nearest->base);
  if (offset < nearest->bytes) {
    return format("%zu bytes into %s", size_t(offset), what(*nearest).c_str());
  }
  return format("%zu bytes past the end of %s", size_t(offset - nearest->bytes),
                what(*nearest).c_str());
}

bool check_margins() {
  bool clean = true;
  for (auto& entry : table()) {
    const Allocation& a = entry.second;
    unsigned char* p = a.base + a.bytes;
    while (p < margin_end(a) && *p == margin_pattern) p++;
    if (p == margin_end(a)) continue;
    report("something wrote %td bytes past the end of %s", p - a.base - ptrdiff_t(a.bytes),
           what(a).c_str());
    memset(p, margin_pattern, size_t(margin_end(a) - p));
    clean = false;
  }
  return clean;
}

} // namespace emulator
