#include "accesses.h"

#include "block.h"
#include "places.h"
#include "races.h"
#include "report.h"
#include "shadow.h"

#include <algorithm>
#include <cstring>

namespace emulator {
namespace {

bool seen = false;

// State of the running launch, on its only thread.
Order order;
Shadow* shared = nullptr;
constexpr int recents = 4;
const Shadow* recent[recents]; // that accesses were found in
int oldest = 0;

struct Access {
  const unsigned char* at;
  size_t bytes;
  bool write, in_flight;
  const void* code;
};

unsigned number_of(const Lane& lane) {
  const Dim3 t = lane.coordinates.thread, size = lane.coordinates.block_size;
  return (t.z * size.y + t.y) * size.x + t.x;
}

std::string thread_of(const Lane& lane, Stamp s) {
  const unsigned i = unsigned(s.thread);
  const Dim3 size = lane.coordinates.block_size;
  return format("thread (%u,%u,%u)%s", i % size.x, i / size.x % size.y, i / (size.x * size.y),
                order.of_block(s) ? "" : " of another block");
}

bool holds(const Shadow& s, const unsigned char* at) { return size_t(at - s.base) < s.rounded; }

std::string describe(const Access& a) {
  const std::string where = holds(*shared, a.at)
                                ? format("byte %td of shared memory", a.at - shared->base)
                                : describe_address(a.at);
  return format("%s %zu bytes at %s, %s", a.write ? "writes" : "reads", a.bytes,
                place_of(a.code).c_str(), where.c_str());
}

const char* deed(const Past& past, bool wrote) {
  if (past.stamp.in_flight) return "copies to and has not waited for";
  return wrote ? "wrote" : "read";
}

[[noreturn, gnu::cold]] void report_race(Lane& lane, const Access& a, const Past& past,
                                         bool wrote) {
  lane.block->fail(CUDA_ERROR_LAUNCH_FAILED,
                   format("a race: it %s, which %s %s at %s; nothing orders the two",
                          describe(a).c_str(), thread_of(lane, past.stamp).c_str(),
                          deed(past, wrote), place_of(past.code).c_str()));
}

[[noreturn, gnu::cold]] void report_unwritten(Lane& lane, const Access& a) {
  lane.block->fail(CUDA_ERROR_LAUNCH_FAILED,
                   format("it %s, where nothing was written", describe(a).c_str()));
}

[[noreturn, gnu::cold]] void report_beyond(Lane& lane, const Access& a, const Shadow& s) {
  lane.block->fail(CUDA_ERROR_ILLEGAL_ADDRESS,
                   format("it %s: the end is %td bytes past that of the %zu bytes there",
                          describe(a).c_str(), a.at + a.bytes - (s.base + s.bytes), s.bytes));
}

// each_cell calls body(cell, which of its bytes) for the cells of an access.
template <class Body> void each_cell(const Shadow& s, const void* at, size_t bytes, Body body) {
  const size_t from = size_t(static_cast<const unsigned char*>(at) - s.base), to = from + bytes;
  for (size_t cell = from / cell_bytes; cell * cell_bytes < to; cell++) {
    const size_t start = cell * cell_bytes;
    const size_t first = std::max(from, start) - start, end = std::min(to - start, cell_bytes);
    body(cell, (1u << end) - (1u << first));
  }
}

bool written(const Shadow& s, size_t cell) {
  if (&s == shared) return order.of_block(s.cells[cell].write.stamp);
  return !s.written || s.written[cell];
}

void enter(Lane& lane, const Access& a, const Shadow& s) {
  if (a.at + a.bytes > s.base + s.bytes) report_beyond(lane, a, s);
  const Space space = &s == shared ? Space::shared : Space::global;
  const unsigned thread = number_of(lane);
  each_cell(s, a.at, a.bytes, [&](size_t i, unsigned bytes) {
    Cell& cell = s.cells[i];
    const Stamp now = order.now(thread, bytes, a.in_flight);
    if (a.write) {
      const Past* past = order.write(cell, space, now, a.code);
      if (past) report_race(lane, a, *past, past == &cell.write);
      if (s.written) s.written[i] = true;
      return;
    }
    if (!written(s, i)) report_unwritten(lane, a);
    if (const Past* past = order.read(cell, space, now, a.code)) report_race(lane, a, *past, true);
  });
}

// shadow_at returns the shadow of the memory in which an access begins, or
// nullptr.
const Shadow* shadow_at(const unsigned char* at) {
  if (holds(*shared, at)) return shared;
  for (const Shadow* s : recent) {
    if (s && holds(*s, at)) return s;
  }
  const Shadow* found = find_shadow(at);
  if (found) recent[oldest++ % recents] = found;
  return found;
}

void note(const Access& a) {
  Lane* lane = running();
  if (!lane) return; // the program's start
  // Most accesses are to the thread's own variables, above this frame.
  const auto* frame = static_cast<const unsigned char*>(__builtin_frame_address(0));
  if (size_t(a.at - frame) < Stacks::bytes) return;
  if (size_t(a.at - reinterpret_cast<unsigned char*>(lane)) < sizeof *lane) return;
  if (const Shadow* s = shadow_at(a.at)) enter(*lane, a, *s);
}

const unsigned char* bytes_at(const void* p) { return static_cast<const unsigned char*>(p); }

} // namespace

bool accesses_seen() { return seen; }

void follow_launch() {
  if (!seen) return;
  order.begin_launch();
  std::fill(std::begin(recent), std::end(recent), nullptr);
}

void follow_block(unsigned char* base, size_t bytes, unsigned threads) {
  if (!seen) return;
  order.begin_block(threads);
  shared = &shared_shadow();
  shared->base = base;
  shared->bytes = bytes;
  shared->rounded = (bytes + 15) / 16 * 16;
}

void follow_barrier() {
  if (seen) order.pass_barrier();
}

void follow_warp_barrier(const Lane& lane) {
  if (seen) order.pass_warp_barrier(number_of(lane) / warp_size);
}

void follow_some_barrier(const std::vector<Lane*>& lanes) {
  if (!seen) return;
  std::vector<unsigned> threads;
  for (const Lane* lane : lanes) threads.push_back(number_of(*lane));
  order.meet(threads);
}

void follow_arrival(const void* mbarrier) {
  if (seen) order.arrive(mbarrier, number_of(*running()));
}

void follow_phase(const void* mbarrier) {
  if (seen) order.complete(mbarrier);
}

void follow_wait(const void* mbarrier) {
  if (seen) order.pass_phase(mbarrier, number_of(*running()));
}

void note_read(const void* from, size_t bytes, const void* code) {
  if (seen) note({bytes_at(from), bytes, false, false, code});
}

void note_write(const void* to, size_t bytes, const void* code) {
  if (seen) note({bytes_at(to), bytes, true, false, code});
}

void note_copy(void* to, const void* global, size_t bytes, const void* code) {
  if (!seen) return;
  if (global) note_read(global, bytes, code);
  note({bytes_at(to), bytes, true, true, code});
}

void note_landed(const void* to, size_t bytes, const void* mbarrier) {
  if (!seen) return;
  unsigned thread = 0;
  each_cell(*shared, to, bytes, [&](size_t i, unsigned part) {
    Stamp& stamp = shared->cells[i].write.stamp;
    thread = unsigned(stamp.thread);
    stamp = order.now(thread, part, false);
  });
  if (mbarrier) order.land(mbarrier, thread);
}

} // namespace emulator

// What the compilers call with -fsanitize=thread, whose own library is not
// linked.
using emulator::note_read;
using emulator::note_write;

#define CODE __builtin_return_address(0)
#define ACCESSES(bytes)                                                                  \
  void __tsan_read##bytes(void* p) { note_read(p, bytes, CODE); }                        \
  void __tsan_write##bytes(void* p) { note_write(p, bytes, CODE); }                      \
  void __tsan_unaligned_read##bytes(void* p) { note_read(p, bytes, CODE); }              \
  void __tsan_unaligned_write##bytes(void* p) { note_write(p, bytes, CODE); }            \
  void __tsan_volatile_read##bytes(void* p) { note_read(p, bytes, CODE); }               \
  void __tsan_volatile_write##bytes(void* p) { note_write(p, bytes, CODE); }             \
  void __tsan_unaligned_volatile_read##bytes(void* p) { note_read(p, bytes, CODE); }     \
  void __tsan_unaligned_volatile_write##bytes(void* p) { note_write(p, bytes, CODE); }

extern "C" {
void __tsan_init() { emulator::seen = true; }
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_read_range(void* p, size_t bytes) { note_read(p, bytes, CODE); }
void __tsan_write_range(void* p, size_t bytes) { note_write(p, bytes, CODE); }
void* __tsan_memcpy(void* to, const void* from, size_t bytes) {
  note_read(from, bytes, CODE);
  note_write(to, bytes, CODE);
  return memcpy(to, from, bytes);
}
void* __tsan_memset(void* to, int value, size_t bytes) {
  note_write(to, bytes, CODE);
  return memset(to, value, bytes);
}
ACCESSES(1)
ACCESSES(2)
ACCESSES(4)
ACCESSES(8)
ACCESSES(16)
}
