// Kernels with races among some threads of a block, as sm_90a's barriers order
// them, and their neighbours that have none.
#include "../../../../internal/cuda/kernels/prelude.cuh"

#include "../../../../internal/cuda/kernels/hopper.cuh"

// two_of_three hands numbers on between two warps; the third comes to no barrier
// and reads as well if `third` says so.
KERNEL void LAUNCH_BOUNDS(96, 1) two_of_three(float* y, int third) {
  float* s = shared_memory<float>();
  const int t = (int)threadIdx.x;
  if (t < 64) {
    s[t] = 1.0f;
    named_barrier(1, 64);
    y[t] = s[63 - t];
  }
  if (t >= 64 && third) y[t] = s[t - 64];
}
EXPORT(two_of_three)

// handed_back hands numbers on between two warps and back, through a barrier of
// phases each way; the second waits for the first if `waited` says so.
KERNEL void LAUNCH_BOUNDS(64, 1) handed_back(float* y, int waited) {
  float* s = shared_memory<float>();
  Mbarrier* full = reinterpret_cast<Mbarrier*>(s + 32);
  Mbarrier* empty = full + 1;
  const int t = (int)threadIdx.x, lane = t % 32;
  if (t == 0) {
    mbarrier_init(full, 32);
    mbarrier_init(empty, 32);
  }
  if (t < 32) s[lane] = 0.0f;
  barrier();
  for (int round = 0; round < 3; round++) {
    if (t < 32) {
      mbarrier_wait(empty, round % 2 ^ 1);
      s[lane] = (float)round;
      mbarrier_arrive(full);
    } else {
      if (waited) mbarrier_wait(full, round % 2);
      y[lane] = s[31 - lane];
      mbarrier_arrive(empty);
    }
  }
}
EXPORT(handed_back)

// one_waits has one lane wait for the other warp's numbers and all lanes read them,
// after a warp_barrier if `between` says so.
KERNEL void LAUNCH_BOUNDS(64, 1) one_waits(float* y, int between) {
  float* s = shared_memory<float>();
  Mbarrier* full = reinterpret_cast<Mbarrier*>(s + 32);
  const int t = (int)threadIdx.x;
  if (t == 0) mbarrier_init(full, 32);
  if (t < 32) s[t] = 0.0f;
  barrier();
  if (t < 32) {
    s[t] = 1.0f;
    mbarrier_arrive(full);
    return;
  }
  if (t == 32) mbarrier_wait(full, 0);
  if (between) warp_barrier();
  y[t - 32] = s[63 - t];
}
EXPORT(one_waits)

// loaded_over loads 128 bytes over numbers that all threads read, after a barrier
// if `between` says so, and adds them, having waited for them if `waited` does.
KERNEL void LAUNCH_BOUNDS(32, 1)
    loaded_over(const TensorMap* map, float* y, int between, int waited) {
  float* s = reinterpret_cast<float*>(align_shared(shared_memory<unsigned char>(), 1024));
  Mbarrier* full = reinterpret_cast<Mbarrier*>(s + 32);
  const int t = (int)threadIdx.x;
  s[t] = 1.0f;
  if (t == 0) {
    mbarrier_init(full, 1);
    mbarrier_init_fence();
  }
  barrier();
  y[t] = s[31 - t];
  if (between) barrier();
  if (t == 0) {
    tensormap_acquire(map);
    mbarrier_arrive_expect(full, 128);
    tensor_load(s, map, 0, 0, 0, 0, full);
  }
  if (waited) mbarrier_wait(full, 0);
  y[t] += s[31 - t];
}
EXPORT(loaded_over)
