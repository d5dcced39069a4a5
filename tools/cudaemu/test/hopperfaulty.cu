// Kernels for sm_90a that are wrong, each fault in one way. `fault` chooses it; 0
// is none.
#include "../../../internal/cuda/kernels/prelude.cuh"

#include "../../../internal/cuda/kernels/hopper.cuh"

#include "hopperfaults.h"

DEVICE void load_again(const TensorMap* map, unsigned char* shared, Mbarrier* full) {
  mbarrier_arrive_expect(full, 128);
  tensor_load(shared, map, 0, 0, 0, 0, full);
}

// faulty_load loads a row of 64 numbers twice, to two places of 128 bytes.
KERNEL void LAUNCH_BOUNDS(64, 1) faulty_load(const TensorMap* map, float* y, int fault) {
  unsigned char* shared = align_shared(shared_memory<unsigned char>(), 1024);
  Mbarrier* full = reinterpret_cast<Mbarrier*>(shared + 2048);
  if (threadIdx.x == 0) {
    if (fault != no_barrier) {
      mbarrier_init(full, fault == arrival_missing ? 2 : 1);
      mbarrier_init(full + 1, 1);
    }
    if (fault != init_not_published) mbarrier_init_fence();
    if (fault != map_not_acquired) tensormap_acquire(map);
    if (fault == barrier_overwritten) *full = 0;
    const unsigned wrong = fault == less_expected ? 96 : fault == more_expected ? 256 : 128;
    mbarrier_arrive_expect(full, wrong);
    const int at = fault == misaligned_tile ? 64 : fault == beyond_shared ? 1 << 20 : 0;
    tensor_load(shared + at, map, 0, 0, 0, 0, full);
    if (fault == arrives_twice) mbarrier_arrive(full);
    if (fault != loaded_again)
      load_again(map, shared + (fault == loaded_twice ? 0 : 1024), full + 1);
  }
  barrier();
  if (fault != not_waited) mbarrier_wait(full, fault == wrong_parity);
  if (fault == loaded_again && threadIdx.x == 0) load_again(map, shared, full + 1);
  barrier();
  y[threadIdx.x] = reinterpret_cast<float*>(shared)[threadIdx.x / 2];
}
EXPORT(faulty_load)

// three_of_four comes to a named barrier with one warp too few.
KERNEL void LAUNCH_BOUNDS(128, 1) three_of_four(float* y) {
  if (threadIdx.x < 96) named_barrier(3, 128);
  y[threadIdx.x % 64] = 0;
}
EXPORT(three_of_four)

// faulty_product multiplies ones: y is 16.
KERNEL void LAUNCH_BOUNDS(128, 1) faulty_product(float* y, int fault) {
  unsigned char* shared = align_shared(shared_memory<unsigned char>(), 1024);
  const int t = (int)threadIdx.x;
  unsigned* words = reinterpret_cast<unsigned*>(shared);
  for (int i = t; i < 64 * 32; i += 128) words[i] = 0x3f803f80u;
  if (fault != no_async_fence) async_fence();
  barrier();
  unsigned char* first = shared + (fault == inside_an_atom   ? 128
                                   : fault == outside_shared ? 8192
                                                             : 0);
  first += fault == lanes_differ && t == 5 ? 16 : fault == warps_differ && t >= 96 ? 32 : 0;
  const uint64 a = wgmma_operand(first, 16, fault == odd_stride ? 1040 : 1024, Swizzle::bytes128);
  const uint64 b = wgmma_operand(shared, 16, 1024, Swizzle::bytes128);
  float d[32];
  for (int r = 0; r < 32; r++) d[r] = 0;
  if (fault == registers_differ) {
    if (t < 64) {
      fewer_registers<40>();
    } else {
      fewer_registers<48>();
    }
  }
  if (fault == warp_missing && t < 32) return;
  if (fault != no_fence) wgmma_fence(d);
  wgmma_bf16<64, Major::k, Major::k>(d, a, b, true);
  if (fault != no_commit) wgmma_commit();
  if (fault == accumulator_written) d[7] = 1;
  if (fault == operand_overwritten && t == 9) words[3] = 0;
  if (fault == too_early) {
    wgmma_wait<1>(d);
  } else if (fault == accumulator_not_named) {
    wgmma_wait<0>();
  } else if (fault == no_wait) {
    y[t % 64] = d[t % 32];
    return;
  } else {
    wgmma_wait<0>(d);
  }
  y[t % 64] = d[t % 32];
}
EXPORT(faulty_product)

// part_of_a_warpgroup multiplies with too few warps.
KERNEL void LAUNCH_BOUNDS(128, 1) part_of_a_warpgroup(float* y) {
  float d[32];
  wgmma_fence(d);
  y[threadIdx.x % 64] = 0;
}
EXPORT(part_of_a_warpgroup)
