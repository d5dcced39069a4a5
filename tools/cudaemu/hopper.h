// The host's side of kernels/hopper.cuh, as device.h is of primitives.cuh.
#pragma once

#include "async.h"

// ---- barriers in shared memory

DEVICE void mbarrier_init(Mbarrier* b, unsigned arrivals, EMULATOR_SITE) {
  emulator::phase_make(b, arrivals, file, line);
}
DEVICE void mbarrier_init_fence() { emulator::phase_publish(); }
DEVICE void mbarrier_arrive(Mbarrier* b, EMULATOR_SITE) {
  emulator::phase_arrive(b, 0, file, line);
}
DEVICE void mbarrier_arrive_expect(Mbarrier* b, unsigned bytes, EMULATOR_SITE) {
  emulator::phase_arrive(b, bytes, file, line);
}
DEVICE void mbarrier_wait(Mbarrier* b, unsigned parity, EMULATOR_SITE) {
  emulator::phase_wait(b, parity, file, line);
}
DEVICE void named_barrier(int id, int threads, EMULATOR_SITE) {
  emulator::some_barrier(id, threads, file, line);
}

// ---- copies of tiles by tensor map

DEVICE void tensormap_acquire(const TensorMap* map, EMULATOR_SITE) {
  emulator::map_acquire(map, file, line);
}
DEVICE void tensormap_prefetch(const TensorMap* map, EMULATOR_SITE) {
  emulator::map_prefetch(map, file, line);
}
DEVICE void tensor_load(void* shared, const TensorMap* map, int c0, int c1, int c2, int c3,
                        Mbarrier* b, EMULATOR_SITE) {
  emulator::box_load(shared, map, {c0, c1, c2, c3}, b, file, line);
}
DEVICE void async_fence() { emulator::proxy_fence(); }

// ---- threads and registers

DEVICE bool elect_one(EMULATOR_SITE) { return emulator::lane_elect(file, line); }
template <int count> DEVICE void fewer_registers(EMULATOR_SITE) {
  static_assert(count >= 24 && count <= 256 && count % 8 == 0, "24 to 256, in steps of 8");
  emulator::group_registers(count, file, line);
}
template <int count> DEVICE void more_registers(EMULATOR_SITE) {
  static_assert(count >= 24 && count <= 256 && count % 8 == 0, "24 to 256, in steps of 8");
  emulator::group_registers(count, file, line);
}

// ---- matrix products of a warpgroup

template <int count> DEVICE void wgmma_fence(float (&d)[count], EMULATOR_SITE) {
  emulator::group_fence(d, count, file, line);
}
DEVICE void wgmma_fence(EMULATOR_SITE) { emulator::group_fence(nullptr, 0, file, line); }
DEVICE void wgmma_commit(EMULATOR_SITE) { emulator::group_commit(file, line); }
template <int groups> DEVICE void wgmma_wait(EMULATOR_SITE) {
  static_assert(groups >= 0, "groups in flight");
  emulator::group_wait(groups, nullptr, file, line);
}
template <int groups, int count> DEVICE void wgmma_wait(float (&d)[count], EMULATOR_SITE) {
  static_assert(groups >= 0, "groups in flight");
  emulator::group_wait(groups, d, file, line);
}
template <int n, Major major_a, Major major_b>
DEVICE void wgmma_bf16(float (&d)[n / 2], uint64 a, uint64 b, bool accumulate, EMULATOR_SITE) {
  static_assert(n == 64 || n == 128 || n == 256, "64, 128 or 256 columns");
  emulator::group_product({d, n, a, b, major_a == Major::mn, major_b == Major::mn, accumulate},
                          file, line);
}
