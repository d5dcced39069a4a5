#include "races.h"

#include <algorithm>
#include <numeric>

namespace emulator {
namespace {

unsigned warp_of(Stamp s) { return unsigned(s.thread) / warp_size; }

// raise makes every clock at least the other one.
void raise(std::vector<uint64_t>& clocks, const std::vector<uint64_t>& least) {
  clocks.resize(std::max(clocks.size(), least.size()));
  for (size_t i = 0; i < least.size(); i++) clocks[i] = std::max(clocks[i], least[i]);
}

} // namespace

void Order::begin_block(unsigned threads) {
  block_ = ++clock_;
  barrier_ = 0;
  std::fill(std::begin(warp_barriers_), std::end(warp_barriers_), 0);
  threads_ = threads;
  known_.clear();
  phases_.clear();
}

void Order::pass_warp_barrier(unsigned warp) {
  if (!known_.empty()) {
    std::vector<unsigned> lanes(warp_size);
    std::iota(lanes.begin(), lanes.end(), warp * warp_size);
    meet(lanes);
  }
  warp_barriers_[warp] = clock_++;
}

void Order::meet(const std::vector<unsigned>& threads) {
  View all;
  for (const unsigned thread : threads) look(thread, all);
  for (const unsigned thread : threads) learn(thread, all);
  clock_++;
}

void Order::arrive(const void* mbarrier, unsigned thread) {
  look(thread, phases_[mbarrier].now);
  clock_++;
}

void Order::land(const void* mbarrier, unsigned thread) {
  View& view = phases_[mbarrier].now;
  view.resize(threads_);
  view[thread] = clock_;
}

void Order::complete(const void* mbarrier) {
  Phase& phase = phases_[mbarrier];
  raise(phase.complete, phase.now);
  phase.now.clear();
  clock_++;
}

void Order::pass_phase(const void* mbarrier, unsigned thread) {
  learn(thread, phases_[mbarrier].complete);
}

// look adds what a thread has done and knows to a view.
void Order::look(unsigned thread, View& into) const {
  into.resize(threads_);
  const unsigned warp = thread / warp_size;
  for (unsigned other = 0; other < threads_; other++) {
    const uint64_t of_warp = other / warp_size == warp ? warp_barriers_[warp] : 0;
    into[other] = std::max({into[other], barrier_, of_warp});
  }
  if (!known_.empty()) raise(into, known_[thread]);
  into[thread] = clock_;
}

void Order::learn(unsigned thread, const View& from) {
  known_.resize(threads_);
  raise(known_[thread], from);
}

bool Order::knows(unsigned thread, Stamp s) const {
  return !known_.empty() && s.thread < known_[thread].size() && s.clock <= known_[thread][s.thread];
}

bool Order::races(const Past& past, Space space, Stamp now) const {
  const Stamp s = past.stamp;
  if (!of_launch(s) || !(s.bytes & now.bytes)) return false;
  if (!of_block(s)) return space == Space::global;
  if (s.in_flight) return true;
  if (s.thread == now.thread || s.clock <= barrier_) return false;
  if (warp_of(s) == warp_of(now) && s.clock <= warp_barriers_[warp_of(now)]) return false;
  return !knows(unsigned(now.thread), s);
}

// keep_read makes room for the last read of a cell.
void Order::keep_read(Cell& cell, Stamp now) const {
  const Past last = cell.lane_read;
  if (!of_block(last.stamp)) {
    cell.other_block_read = last;
    cell.other_warp_read = cell.other_lane_read = {};
  } else if (warp_of(last.stamp) != warp_of(now)) {
    // The warp's own last read was perhaps kept as another warp's.
    const Stamp other = cell.other_warp_read.stamp;
    const bool own = warp_of(other) == warp_of(now) && other.thread != now.thread;
    cell.other_lane_read = own ? cell.other_warp_read : Past{};
    cell.other_warp_read = last;
  } else if (last.stamp.thread != now.thread) {
    cell.other_lane_read = last;
  }
}

const Past* Order::read(Cell& cell, Space space, Stamp now, const void* code) {
  if (races(cell.write, space, now)) return &cell.write;
  keep_read(cell, now);
  cell.lane_read = {now, code};
  return nullptr;
}

const Past* Order::write(Cell& cell, Space space, Stamp now, const void* code) {
  for (const Past* past : {&cell.write, &cell.lane_read, &cell.other_lane_read,
                           &cell.other_warp_read, &cell.other_block_read}) {
    if (races(*past, space, now)) return past;
  }
  cell.write = {now, code};
  return nullptr;
}

} // namespace emulator
