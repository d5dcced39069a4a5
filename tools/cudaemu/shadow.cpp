#include "shadow.h"

#include "accesses.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <sys/mman.h>

namespace emulator {
namespace {

using Table = std::map<uintptr_t, Shadow>;

Table& table() {
  static Table& t = *new Table;
  return t;
}

size_t cells_of(size_t bytes) { return (bytes + cell_bytes - 1) / cell_bytes; }

// zeros returns memory that takes place only where it is touched.
template <class T> T* zeros(size_t count) {
  void* memory = mmap(nullptr, count * sizeof(T), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    fprintf(stderr, "emulated CUDA driver: no memory to check accesses of so much memory\n");
    abort();
  }
  return static_cast<T*>(memory);
}

} // namespace

void add_shadow(const Allocation& a, size_t rounded) {
  if (!accesses_seen()) return;
  const size_t count = cells_of(rounded);
  // The program writes to its own memory unseen.
  bool* written = a.device < 0 ? nullptr : zeros<bool>(count);
  table()[reinterpret_cast<uintptr_t>(a.base)] = {a.base, a.bytes, rounded, zeros<Cell>(count),
                                                  written};
}

void remove_shadow(const void* base) {
  const auto at = table().find(reinterpret_cast<uintptr_t>(base));
  if (at == table().end()) return;
  const Shadow& s = at->second;
  const size_t count = cells_of(s.rounded);
  munmap(s.cells, count * sizeof *s.cells);
  if (s.written) munmap(s.written, count * sizeof *s.written);
  table().erase(at);
}

const Shadow* find_shadow(const void* address) {
  const auto number = reinterpret_cast<uintptr_t>(address);
  auto at = table().upper_bound(number);
  if (at == table().begin()) return nullptr;
  const Shadow& s = (--at)->second;
  return number - at->first < s.rounded ? &s : nullptr;
}

Shadow& shared_shadow() {
  static Shadow s = {nullptr, 0, 0, zeros<Cell>(cells_of(SharedMemory::capacity)), nullptr};
  return s;
}

void note_host_write(const void* to, size_t bytes) {
  const Shadow* s = find_shadow(to);
  if (!s || !s->written) return;
  const size_t offset = size_t(static_cast<const unsigned char*>(to) - s->base);
  for (size_t cell = offset / cell_bytes; cell * cell_bytes < offset + bytes; cell++) {
    unsigned word;
    memcpy(&word, s->base + cell * cell_bytes, sizeof word);
    s->written[cell] = word != unwritten;
  }
}

} // namespace emulator
