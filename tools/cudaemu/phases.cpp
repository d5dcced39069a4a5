#include "phases.h"

#include "accesses.h"
#include "report.h"
#include "shared.h"

#include <cstring>
#include <utility>

namespace emulator {
namespace {

constexpr unsigned most_arrivals = (1 << 20) - 1, most_bytes = (1 << 20) - 1; // of a phase

// mark is what a barrier's 8 bytes hold, so that writes over it are seen.
unsigned long long mark(const unsigned long long* address) {
  return 0x6261727269657221ull ^ uintptr_t(address);
}

} // namespace

uint64_t Phases::Barrier::issued() const {
  uint64_t bytes = 0;
  for (const Load& l : loads) bytes += l.tensor.box_bytes();
  return bytes;
}

std::string Phases::Barrier::lack() const {
  return format(
      "the mbarrier made at %s lacks %u of %u arrivals and %lld of %llu bytes in phase %llu",
      made.name().c_str(), pending, arrivals, (long long)(expected - issued()),
      (unsigned long long)expected, (unsigned long long)phase);
}

std::string Phases::make(unsigned long long* address, unsigned arrivals, Site site) {
  if (uintptr_t(address) % sizeof *address || !shared_.holds(address, sizeof *address)) {
    return format("%p is no multiple of 8 in shared memory", static_cast<void*>(address));
  }
  if (!arrivals || arrivals > most_arrivals) return "the count of arrivals is not 1 to 2^20 - 1";
  barriers_[address] = {arrivals, arrivals, 0, 0, {}, {}, 0, site, false};
  *address = mark(address);
  return {};
}

void Phases::publish() {
  for (auto& entry : barriers_) entry.second.published = true;
}

std::string Phases::find(unsigned long long* address, Barrier*& barrier) {
  const auto at = barriers_.find(address);
  if (at == barriers_.end())
    return format("no mbarrier was made at %p", static_cast<void*>(address));
  barrier = &at->second;
  if (*address == mark(address)) return {};
  return format("the mbarrier made at %s was overwritten", barrier->made.name().c_str());
}

// advance begins the next phase if the current one is complete.
bool Phases::advance(Barrier& b) {
  if (!b.completable()) return false;
  for (const Load& l : b.loads) {
    land(l);
    note_landed(l.shared, l.tensor.box_bytes(), &b);
  }
  follow_phase(&b);
  b.loads.clear();
  b.pending = b.arrivals;
  b.expected = 0;
  b.phase++;
  return true;
}

std::string Phases::arrive(unsigned long long* address, unsigned bytes) {
  Barrier* b;
  std::string problem = find(address, b);
  if (!problem.empty()) return problem;
  if (!b->pending) {
    return "it arrives in a phase that has all its arrivals: nobody waited for the phase, and " +
           b->lack();
  }
  follow_arrival(b);
  b->expected += bytes;
  if (b->expected > most_bytes) return "more bytes are announced than a phase counts, 2^20 - 1";
  b->pending--;
  // Without copies there is nothing to be late.
  if (!b->expected) advance(*b);
  return {};
}

std::string Phases::load(unsigned long long* address, const Load& load) {
  Barrier* b;
  std::string problem = find(address, b);
  if (!problem.empty()) return problem;
  if (!b->published) {
    return format("the mbarrier made at %s is not known to copies: mbarrier_init_fence is missing",
                  b->made.name().c_str());
  }
  for (const auto& entry : barriers_) {
    const Barrier& barrier = entry.second;
    for (const Load& l : barrier.loads) {
      if (l.shared < load.shared + load.tensor.box_bytes() &&
          load.shared < l.shared + l.tensor.box_bytes()) {
        return "it writes where another copy in flight, to the mbarrier made at " +
               barrier.made.name() + ", does";
      }
    }
  }
  b->loads.push_back(load);
  if (b->issued() > b->expected) {
    return format("it copies %llu bytes, %llu are announced, by mbarrier_arrive_expect before it",
                  (unsigned long long)b->issued(), (unsigned long long)b->expected);
  }
  shared_.poison(load.shared, load.tensor.box_bytes());
  return {};
}

std::string Phases::observe(unsigned long long* address, unsigned parity, bool& complete) {
  if (parity > 1) return format("parity %u: want 0 or 1", parity);
  Barrier* b;
  const std::string problem = find(address, b);
  if (problem.empty()) {
    complete = b->phase % 2 != parity || advance(*b);
    if (complete) follow_wait(b);
  }
  return problem;
}

void Phases::wait(unsigned long long* address, Lane& lane) {
  Barrier& b = barriers_[address];
  b.waiters.push_back(&lane);
  b.awaited = b.phase;
}

std::vector<Lane*> Phases::woken(unsigned long long* address) {
  Barrier& b = barriers_[address];
  if (b.phase == b.awaited && !b.completable()) return {};
  return std::exchange(b.waiters, {});
}

std::string Phases::describe(unsigned long long* address) const {
  return barriers_.at(address).lack();
}

// land writes a box as its swizzle puts it, to what threads see and what wgmma
// sees.
void Phases::land(const Load& l) {
  const Tensor& t = l.tensor;
  const size_t row = t.box[0] * t.element();
  std::vector<unsigned char> bytes(row);
  const size_t rows = t.box_bytes() / row;
  for (size_t r = 0; r < rows; r++) {
    int64_t at[most_dimensions] = {l.at[0]};
    size_t rest = r;
    for (int i = 1; i < t.rank; i++) {
      at[i] = l.at[i] + int64_t(rest % t.box[i]);
      rest /= t.box[i];
    }
    read_row(t, at, bytes.data());
    for (size_t piece = 0; piece < row; piece += 16) {
      const unsigned linear = shared_.window(l.shared) + unsigned(r * row + piece);
      shared_.write_async(swizzled(linear, t.swizzle), &bytes[piece], 16);
    }
  }
}

} // namespace emulator
