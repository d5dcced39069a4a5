#include "block.h"

#include "accesses.h"
#include "report.h"

#include <cstring>
#include <utility>

namespace emulator {
namespace {

unsigned product(Dim3 d) { return d.x * d.y * d.z; }

} // namespace

__thread Lane* current_lane = nullptr;

const Coordinates& coordinates() { return current_lane->coordinates; }

bool Site::operator==(const Site& o) const {
  return line == o.line && (file == o.file || !strcmp(file, o.file));
}

std::string Site::name() const {
  if (!file) return "its start";
  const char* slash = strrchr(file, '/');
  return format("%s:%d", slash ? slash + 1 : file, line);
}

Lane* Warp::peek() const {
  if (!ready) return nullptr;
  const unsigned turned = cursor ? ready >> cursor | ready << (warp_size - cursor) : ready;
  const unsigned slot = (cursor + unsigned(__builtin_ctz(turned))) % warp_size;
  return &lanes[slot ^ flip];
}

void Warp::take(const Lane& lane) {
  ready &= ~lane.bit;
  cursor = ((lane.index ^ flip) + 1) % warp_size;
}

CUresult Block::run(const Grid& grid, Dim3 block, uint64_t serial) {
  reset(grid, block, serial);
  if (sigsetjmp(abandoned_, 0)) {
    if (fault_.signal) report_fault();
    current_lane = nullptr;
    stacks_.give_all();
    return error_;
  }
  schedule();
  if (const CUresult error = check_finished()) return error;
  return check_shared();
}

void Block::reset(const Grid& grid, Dim3 block, uint64_t serial) {
  grid_ = &grid;
  block_ = block;
  random_ = Random(grid.seed ^ mix(serial));
  error_ = CUDA_SUCCESS;
  fault_ = {};
  ended_ = arrived_ = 0;
  recent_ = {};
  shape(grid);
  phases_.clear();
  acquired_.clear();
  for (Named& n : named_) n.arrived.clear();
  for (Agreement& a : agreements_) a.clear();
  unsigned char* shared = shared_.begin(grid.shared);
  follow_block(shared, grid.shared, unsigned(lanes_.size()));
  for (Lane& lane : lanes_) {
    lane.coordinates.block = block;
    lane.coordinates.grid_size = grid.blocks;
    lane.coordinates.shared = shared;
    lane.waiting = Waiting::nothing;
    lane.stack = -1;
  }
  for (Warp& warp : warps_) {
    warp.flip = random_.below(warp_size);
    warp.cursor = random_.below(warp_size);
    warp.all = warp.arrived = warp.ended = warp.parity = 0;
    warp.products.clear();
    const size_t first = size_t(warp.lanes - lanes_.data());
    for (size_t i = first; i < lanes_.size() && i < first + warp_size; i++) {
      lanes_[i].bit = 1u << (lanes_[i].index ^ warp.flip);
      warp.all |= lanes_[i].bit;
    }
    warp.ready = warp.all;
  }
}

// shape makes lanes and warps for the grid's size of block.
void Block::shape(const Grid& grid) {
  const Dim3 t = grid.threads;
  if (!memcmp(&t, &shaped_, sizeof t)) return;
  shaped_ = t;
  lanes_.resize(product(t));
  warps_.resize((lanes_.size() + warp_size - 1) / warp_size);
  order_.resize(warps_.size());
  agreements_.resize(warps_.size() / warps_of_group);
  for (unsigned w = 0; w < warps_.size(); w++) {
    order_[w] = w;
    warps_[w].lanes = &lanes_[w * warp_size];
    warps_[w].number = w;
  }
  for (unsigned i = 0; i < lanes_.size(); i++) {
    Lane& lane = lanes_[i];
    lane.block = this;
    lane.warp = &warps_[i / warp_size];
    lane.index = i % warp_size;
    lane.coordinates.thread = {i % t.x, i / t.x % t.y, i / (t.x * t.y)};
    lane.coordinates.block_size = t;
  }
}

void Block::shuffle_warps() {
  for (unsigned i = unsigned(order_.size()); i > 1; i--) {
    std::swap(order_[i - 1], order_[random_.below(i)]);
  }
}

void Block::schedule() {
  while (ended_ < lanes_.size()) {
    bool ran = false;
    shuffle_warps();
    for (unsigned w : order_) {
      if (!warps_[w].ready) continue;
      run_warp(warps_[w]);
      ran = true;
    }
    if (!ran) report_stuck();
  }
}

void Block::run_warp(Warp& warp) {
  while (Lane* lane = warp.peek()) {
    warp.take(*lane);
    begin(*lane);
    current_lane = lane;
    switch_context(scheduler_, lane->fiber);
    // Another lane may have come last.
    Lane* last = std::exchange(current_lane, nullptr);
    if (last->warp->ended & last->bit) stacks_.give(std::exchange(last->stack, -1));
  }
}

// begin gives a lane that has not started its stack.
void Block::begin(Lane& lane) {
  if (lane.stack >= 0) return;
  lane.copies.clear();
  lane.site = {};
  lane.stack = stacks_.take();
  prepare(lane.fiber, stacks_.bottom(lane.stack), Stacks::usable(lane.stack), lane_main);
}

// wait continues another lane of the warp, or the scheduler, until the caller
// may go on.
void Block::wait(Lane& lane) {
  Lane* next = lane.warp->peek();
  if (!next) {
    switch_context(lane.fiber, scheduler_);
    return;
  }
  lane.warp->take(*next);
  begin(*next);
  current_lane = next;
  switch_context(lane.fiber, next->fiber);
}

void Block::lane_main() {
  current_lane->block->run_lanes();
  __builtin_unreachable();
}

// run_lanes executes the current lane and then, on the same stack, lanes that
// have not started: kernels that never wait need no other.
void Block::run_lanes() {
  const Kernel& kernel = *grid_->kernel;
  for (;;) {
    kernel.invoke(kernel.function, grid_->arguments);
    Lane& lane = *current_lane;
    lane.warp->ended |= lane.bit;
    ended_++;
    Lane* next = lane.warp->peek();
    if (!next || next->stack >= 0) {
      switch_context(lane.fiber, scheduler_);
      __builtin_unreachable();
    }
    lane.warp->take(*next);
    next->copies.clear();
    next->site = {};
    next->stack = std::exchange(lane.stack, -1);
    current_lane = next;
  }
}

// check_finished finds what was begun and not ended.
CUresult Block::check_finished() {
  std::string problem;
  for (const Agreement& a : agreements_) {
    if (problem.empty()) problem = a.finish();
  }
  for (const Warp& warp : warps_) {
    if (problem.empty()) problem = warp.products.finish();
  }
  if (problem.empty()) return CUDA_SUCCESS;
  report("%s: %s", place().c_str(), problem.c_str());
  return CUDA_ERROR_LAUNCH_FAILED;
}

CUresult Block::check_shared() {
  const std::string fault = shared_.check();
  if (fault.empty()) return CUDA_SUCCESS;
  report("kernel %s, block (%u,%u,%u): %s", grid_->kernel->name, block_.x, block_.y, block_.z,
         fault.c_str());
  return CUDA_ERROR_ILLEGAL_ADDRESS;
}

} // namespace emulator
