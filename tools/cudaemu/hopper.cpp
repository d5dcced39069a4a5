// What hopper.h asks of the runtime.
#include "accesses.h"
#include "async.h"
#include "block.h"
#include "report.h"

namespace emulator {

void Block::refuse(const char* call, Site site, const std::string& problem, CUresult code) {
  fail(code, format("%s at %s: %s", call, site.name().c_str(), problem.c_str()));
}

// ---- barriers

void Block::named_barrier(Lane& lane, int id, int threads, Site site) {
  lane.site = site;
  if (id < 1 || id > 15 || threads <= 0 || threads % warp_size || threads > int(lanes_.size())) {
    refuse("named_barrier", site,
           format("id %d, %d threads: want 1 to 15, and whole warps of the block", id, threads));
  }
  Named& n = named_[id];
  if (n.arrived.empty()) n.threads = threads;
  if (n.threads != threads) {
    refuse("named_barrier", site,
           format("%d threads, while others wait for %d", threads, n.threads));
  }
  lane.named = id;
  n.arrived.push_back(&lane);
  if (int(n.arrived.size()) < threads) {
    lane.waiting = Waiting::named;
    wait(lane);
    return;
  }
  follow_some_barrier(n.arrived);
  n.arrived.pop_back(); // itself runs on
  wake(n.arrived);
  n.arrived.clear();
}

void Block::make_phase(unsigned long long* b, unsigned arrivals, Site site) {
  const std::string problem = phases_.make(b, arrivals, site);
  if (!problem.empty()) refuse("mbarrier_init", site, problem);
}

void Block::publish() { phases_.publish(); }

void Block::arrive(unsigned long long* b, unsigned bytes, Site site) {
  const std::string problem = phases_.arrive(b, bytes);
  if (!problem.empty()) refuse(bytes ? "mbarrier_arrive_expect" : "mbarrier_arrive", site, problem);
  wake(phases_.woken(b));
}

void Block::wait_phase(Lane& lane, unsigned long long* b, unsigned parity, Site site) {
  lane.site = site;
  for (;;) {
    bool complete = false;
    const std::string problem = phases_.observe(b, parity, complete);
    if (!problem.empty()) refuse("mbarrier_wait", site, problem);
    if (complete) break;
    phases_.wait(b, lane);
    lane.awaited = b;
    lane.waiting = Waiting::phase;
    wait(lane);
  }
  wake(phases_.woken(b));
}

// ---- copies

void Block::acquire(const void* map, Site site) {
  if (uintptr_t(map) % map_alignment || !find_allocation(map, map_bytes)) {
    refuse("tensormap_acquire", site, format("%p is no multiple of 64 in device memory", map),
           CUDA_ERROR_ILLEGAL_ADDRESS);
  }
  acquired_.insert(map);
}

void Block::need_acquired(const void* map, const char* call, Site site) {
  if (acquired_.count(map)) return;
  refuse(call, site, "no thread of the block has called tensormap_acquire for the map");
}

void Block::load(const Load& l, const void* map, unsigned long long* b, Site site) {
  const Tensor& t = l.tensor;
  const auto no = [&](const std::string& why) { refuse("tensor_load", site, why); };
  if (t.rank != 4) no(format("the map has %d dimensions, not 4", t.rank));
  need_acquired(map, "tensor_load", site);
  const uint64_t inner = t.box[0] * t.element();
  if (t.swizzle && inner != uint64_t(t.swizzle)) {
    no(format(
        "rows of %llu bytes with a swizzle of %d: how such a box lies in shared memory is not "
        "documented",
        (unsigned long long)inner, t.swizzle));
  }
  const unsigned alignment = t.swizzle ? unsigned(8 * t.swizzle) : 128;
  if (shared_.window(l.shared) % alignment) {
    no(format("it writes to %u in the shared window, which is no multiple of %u",
              shared_.window(l.shared), alignment));
  }
  if (!shared_.holds(l.shared, t.box_bytes())) {
    no(format("a box of %llu bytes, %s", (unsigned long long)t.box_bytes(),
              shared_.describe(l.shared + t.box_bytes() - 1).c_str()));
  }
  if (!find_allocation(t.base, t.extent())) {
    no(format("the map's array of %llu bytes is at %p, %s", (unsigned long long)t.extent(),
              static_cast<void*>(t.base), describe_address(t.base).c_str()));
  }
  const std::string problem = phases_.load(b, l);
  if (!problem.empty()) no(problem);
  wake(phases_.woken(b));
}

// ---- warpgroups

void Block::agree(const Lane& lane, Collective operation, const Operands& o, int argument,
                  Site site) {
  const unsigned warp = lane.warp->number;
  if (warp / warps_of_group >= agreements_.size()) {
    refuse(
        name(operation), site,
        format("warp %u of a block of %zu threads belongs to no warpgroup", warp, lanes_.size()));
  }
  const std::string problem = agreements_[warp / warps_of_group].note(
      int(warp % warps_of_group), {name(operation), o.a, o.b, argument, site});
  if (!problem.empty()) fail(CUDA_ERROR_LAUNCH_FAILED, "diverged: it calls " + problem);
}

template <class Work>
void Block::warpgroup(Lane& lane, Collective operation, const Operands& o, int argument, Site site,
                      Work work) {
  Warp& warp = *lane.warp;
  warp.operands[lane.index] = o;
  if (!meet(lane, operation, argument, site)) return;
  float* d[warp_size];
  for (int i = 0; i < warp_size; i++) {
    const Operands& other = warp.operands[i];
    d[i] = other.d;
    if (other.a != o.a || other.b != o.b || other.accumulate != o.accumulate) {
      refuse(name(operation), site, "the lanes of a warp name different operands");
    }
  }
  agree(lane, operation, o, argument, site);
  const std::string problem = work(warp, d);
  if (!problem.empty()) refuse(name(operation), site, problem);
  finish_meeting(lane);
}

// ---- what the twins call

void phase_make(unsigned long long* b, unsigned arrivals, const char* file, int line) {
  running()->block->make_phase(b, arrivals, {file, line});
}

void phase_publish() { running()->block->publish(); }

void phase_arrive(unsigned long long* b, unsigned bytes, const char* file, int line) {
  running()->block->arrive(b, bytes, {file, line});
}

void phase_wait(unsigned long long* b, unsigned parity, const char* file, int line) {
  Lane& lane = *running();
  lane.block->wait_phase(lane, b, parity, {file, line});
}

void some_barrier(int id, int threads, const char* file, int line) {
  Lane& lane = *running();
  lane.block->named_barrier(lane, id, threads, {file, line});
}

void map_acquire(const void* map, const char* file, int line) {
  running()->block->acquire(map, {file, line});
}

void map_prefetch(const void* map, const char* file, int line) {
  running()->block->need_acquired(map, "tensormap_prefetch", {file, line});
}

void box_load(void* shared, const void* map, const int (&at)[4], unsigned long long* b,
              const char* file, int line) {
  Block& block = *running()->block;
  Load load = {static_cast<unsigned char*>(shared), {}, {at[0], at[1], at[2], at[3]}};
  if (!find_allocation(map, map_bytes)) {
    block.refuse("tensor_load", {file, line},
                 format("the map is at %p, %s", map, describe_address(map).c_str()),
                 CUDA_ERROR_ILLEGAL_ADDRESS);
  }
  const std::string problem = read_map(map, load.tensor);
  if (!problem.empty()) block.refuse("tensor_load", {file, line}, "the map has " + problem);
  block.load(load, map, b, {file, line});
  note_copy(shared, nullptr, load.tensor.box_bytes(), __builtin_return_address(0));
}

void proxy_fence() {
  Block& block = *running()->block;
  block.publish();
  block.shared().publish();
}

bool lane_elect(const char* file, int line) {
  Lane& lane = *running();
  if (lane.block->meet(lane, Collective::elect, 0, {file, line})) lane.block->finish_meeting(lane);
  return lane.index == lane.warp->flip; // drawn, and then always the same
}

void group_registers(int count, const char* file, int line) {
  Lane& lane = *running();
  lane.block->warpgroup(lane, Collective::registers, {}, count, {file, line},
                        [](Warp&, float**) { return std::string(); });
}

void group_fence(float* d, int count, const char* file, int line) {
  Lane& lane = *running();
  Operands o = {};
  o.d = d;
  lane.block->warpgroup(lane, Collective::wgmma_fence, o, count, {file, line},
                        [&](Warp& warp, float** all) {
                          return d ? warp.products.fence(all, count) : std::string();
                        });
}

void group_product(const Operands& o, const char* file, int line) {
  Lane& lane = *running();
  Block& block = *lane.block;
  const int row = int(lane.warp->number) % warps_of_group * 16;
  block.warpgroup(lane, Collective::wgmma, o, o.columns, {file, line},
                  [&](Warp& warp, float** all) {
                    Operands first = o;
                    first.d = all[0];
                    return warp.products.issue(first, all, row, block.shared(), {file, line});
                  });
}

void group_commit(const char* file, int line) {
  Lane& lane = *running();
  lane.block->warpgroup(lane, Collective::wgmma_commit, {}, 0, {file, line},
                        [](Warp& warp, float**) {
                          warp.products.commit();
                          return std::string();
                        });
}

void group_wait(int groups, const float* d, const char* file, int line) {
  Lane& lane = *running();
  Block& block = *lane.block;
  Operands o = {};
  o.d = const_cast<float*>(d);
  block.warpgroup(
      lane, Collective::wgmma_wait, o, groups, {file, line},
      [&](Warp& warp, float** all) { return warp.products.wait(groups, all[0], block.shared()); });
}

} // namespace emulator
