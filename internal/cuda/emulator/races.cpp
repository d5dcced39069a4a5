#include "races.h"

#include <algorithm>

namespace emulator {
namespace {

unsigned warp_of(Stamp s) { return unsigned(s.thread) / warp_size; }

} // namespace

void Order::begin_block() {
  block_ = ++clock_;
  barrier_ = 0;
  std::fill(std::begin(warp_barriers_), std::end(warp_barriers_), 0);
}

bool Order::races(const Past& past, Space space, Stamp now) const {
  const Stamp s = past.stamp;
  if (!of_launch(s) || !(s.bytes & now.bytes)) return false;
  if (!of_block(s)) return space == Space::global;
  if (s.in_flight) return true;
  if (s.thread == now.thread || s.clock <= barrier_) return false;
  return warp_of(s) != warp_of(now) || s.clock > warp_barriers_[warp_of(now)];
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
