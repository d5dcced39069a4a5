// How lanes wait for each other, and what is said when they cannot.
#include "block.h"

#include "accesses.h"
#include "report.h"

#include <utility>

namespace emulator {

const char* name(Collective operation) {
  switch (operation) {
  case Collective::barrier: return "warp_barrier";
  case Collective::shuffle_xor: return "shuffle_xor";
  case Collective::shuffle_down: return "shuffle_down";
  case Collective::shuffle: return "shuffle";
  case Collective::mma_tf32: return "mma_tf32";
  case Collective::mma_bf16: return "mma_bf16";
  case Collective::load_matrices: return "load_matrices";
  case Collective::elect: return "elect_one";
  case Collective::registers: return "fewer_registers or more_registers";
  case Collective::wgmma_fence: return "wgmma_fence";
  case Collective::wgmma: return "wgmma_bf16";
  case Collective::wgmma_commit: return "wgmma_commit";
  case Collective::wgmma_wait: return "wgmma_wait";
  }
  return "";
}

namespace {

std::string thread_name(const Lane& lane) {
  const Dim3 t = lane.coordinates.thread;
  return format("thread (%u,%u,%u)", t.x, t.y, t.z);
}

} // namespace

std::string Block::place() const {
  const Lane* lane = running();
  const std::string thread = lane ? ", " + thread_name(*lane) : "";
  return format("kernel %s, block (%u,%u,%u)%s", grid_->kernel->name, block_.x, block_.y, block_.z,
                thread.c_str());
}

void Block::fail(CUresult code, const std::string& text) {
  report("%s: %s", place().c_str(), text.c_str());
  error_ = code;
  siglongjmp(abandoned_, 1);
}

void Block::fault(const Fault& fault) {
  fault_ = fault;
  siglongjmp(abandoned_, 1);
}

void Block::barrier(Lane& lane, Site site) {
  lane.site = site;
  if (!arrived_) {
    barrier_site_ = site;
  } else if (!(site == barrier_site_)) {
    diverged("barrier", site, "barrier", barrier_site_);
  }
  if (++arrived_ < lanes_.size()) {
    lane.waiting = Waiting::block;
    wait(lane);
    lane.waiting = Waiting::nothing;
    return;
  }
  arrived_ = 0;
  follow_barrier();
  for (Warp& warp : warps_) warp.ready |= warp.all;
  lane.warp->ready &= ~lane.bit;
}

bool Block::meet(Lane& lane, Collective operation, int argument, Site site) {
  Warp& warp = *lane.warp;
  lane.site = site;
  if (warp.all != ~0u || warp.ended) {
    fail(CUDA_ERROR_LAUNCH_FAILED,
         format("%s at %s wants all 32 lanes of the warp: %d exist, %d of them have ended",
                name(operation), site.name().c_str(), __builtin_popcount(warp.all),
                __builtin_popcount(warp.ended)));
  }
  if (!warp.arrived) {
    warp.operation = operation;
    warp.argument = argument;
    warp.site = site;
  } else if (operation != warp.operation || argument != warp.argument || !(site == warp.site)) {
    diverged(format("%s(%d)", name(operation), argument), site,
             format("%s(%d)", name(warp.operation), warp.argument), warp.site);
  }
  warp.arrived |= lane.bit;
  if (warp.arrived == warp.all) return true;
  lane.waiting = Waiting::warp;
  wait(lane);
  lane.waiting = Waiting::nothing;
  return false;
}

void Block::finish_meeting(Lane& lane) {
  Warp& warp = *lane.warp;
  warp.arrived = 0;
  warp.parity ^= 1;
  warp.ready |= warp.all & ~lane.bit;
}

void Block::diverged(const std::string& call, Site site, const std::string& first, Site other) {
  fail(CUDA_ERROR_LAUNCH_FAILED,
       format("diverged: it calls %s at %s, while others wait in %s at %s", call.c_str(),
              site.name().c_str(), first.c_str(), other.name().c_str()));
}

// wake lets lanes that waited go on.
void Block::wake(const std::vector<Lane*>& lanes) {
  for (Lane* lane : lanes) {
    lane->waiting = Waiting::nothing;
    lane->warp->ready |= lane->bit;
  }
}

// awaits says what a lane waits for.
std::string Block::awaits(const Lane& lane) const {
  const std::string at = lane.site.name();
  switch (lane.waiting) {
  case Waiting::block: return "barrier at " + at;
  case Waiting::named: {
    const Named& n = named_[lane.named];
    return format("named_barrier(%d, %d) at %s, where %zu have come", lane.named, n.threads,
                  at.c_str(), n.arrived.size());
  }
  case Waiting::phase:
    return format("mbarrier_wait at %s: %s", at.c_str(), phases_.describe(lane.awaited).c_str());
  default: return format("%s at %s", name(lane.warp->operation), at.c_str());
  }
}

// report_stuck ends a block in which nobody can go on.
void Block::report_stuck() {
  std::vector<std::pair<std::string, unsigned>> waits; // and how many lanes
  std::vector<const Lane*> first;
  bool deadlock = false;
  for (const Lane& lane : lanes_) {
    if (lane.warp->ended & lane.bit) continue;
    deadlock |= lane.waiting == Waiting::phase || lane.waiting == Waiting::named;
    const std::string what = awaits(lane);
    size_t i = 0;
    while (i < waits.size() && waits[i].first != what) i++;
    if (i == waits.size()) {
      waits.push_back({what, 0});
      first.push_back(&lane);
    }
    waits[i].second++;
  }
  std::string text = format("%s: of %zu threads %u have ended", deadlock ? "deadlock" : "diverged",
                            lanes_.size(), ended_);
  for (size_t i = 0; i < waits.size(); i++) {
    text += format(", %u wait in %s (%s first)", waits[i].second, waits[i].first.c_str(),
                   thread_name(*first[i]).c_str());
  }
  fail(CUDA_ERROR_LAUNCH_FAILED, text);
}

} // namespace emulator
