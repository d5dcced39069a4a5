// Kernels with races, each of one kind, and their neighbours that have none.
#include "../../../../internal/cuda/kernels/prelude.cuh"

// both_write has two warps write one number.
KERNEL void LAUNCH_BOUNDS(64, 1) both_write(float* y) {
  float* s = shared_memory<float>();
  s[threadIdx.x % 32] = 1.0f;
  barrier();
  y[threadIdx.x] = s[threadIdx.x % 32];
}
EXPORT(both_write)

// read_late reads another warp's number while that warp may write the next one:
// `after` says whether a barrier follows the reads.
KERNEL void LAUNCH_BOUNDS(64, 1) read_late(float* y, int after) {
  float* s = shared_memory<float>();
  float sum = 0;
  for (int round = 0; round < 4; round++) {
    s[threadIdx.x] = (float)round;
    barrier();
    sum += s[63 - threadIdx.x];
    if (after) barrier();
  }
  y[threadIdx.x] = sum;
}
EXPORT(read_late)

// lanes_read_late is the same among the lanes of a warp.
KERNEL void LAUNCH_BOUNDS(32, 1) lanes_read_late(float* y, int after) {
  float* s = shared_memory<float>();
  float sum = 0;
  for (int round = 0; round < 4; round++) {
    s[threadIdx.x] = (float)round;
    warp_barrier();
    sum += s[31 - threadIdx.x];
    if (after) warp_barrier();
  }
  y[threadIdx.x] = sum;
}
EXPORT(lanes_read_late)

// shuffled has a shuffle where a warp_barrier ought to be: all lanes are there, but
// what they wrote need not be visible.
KERNEL void LAUNCH_BOUNDS(32, 1) shuffled(float* y) {
  float* s = shared_memory<float>();
  s[threadIdx.x] = 1.0f;
  const float other = shuffle_xor(2.0f, 1);
  y[threadIdx.x] = other + s[31 - threadIdx.x];
}
EXPORT(shuffled)

// warp_only orders the lanes of a warp and then reads another warp's number.
KERNEL void LAUNCH_BOUNDS(64, 1) warp_only(float* y) {
  float* s = shared_memory<float>();
  s[threadIdx.x] = 0.0f;
  barrier();
  s[threadIdx.x] = 1.0f;
  warp_barrier();
  y[threadIdx.x] = s[63 - threadIdx.x];
}
EXPORT(warp_only)

// copied_by_another reads what another lane copied, for which that lane must wait
// and all must then come to a barrier.
KERNEL void LAUNCH_BOUNDS(32, 1)
    copied_by_another(const float* x, float* y, int waited, int after) {
  float* s = shared_memory<float>();
  s[threadIdx.x] = 0.0f;
  barrier();
  copy_async4(s + threadIdx.x, x + threadIdx.x, true);
  copy_commit();
  if (waited) copy_wait<0>();
  if (after) barrier();
  y[threadIdx.x] = s[31 - threadIdx.x];
}
EXPORT(copied_by_another)

// copied_over copies to where another lane still reads, unless a barrier is
// between.
KERNEL void LAUNCH_BOUNDS(32, 1) copied_over(const float* x, float* y, int between) {
  float* s = shared_memory<float>();
  s[threadIdx.x] = 1.0f;
  barrier();
  const float before = s[31 - threadIdx.x];
  if (between) barrier();
  copy_async4(s + threadIdx.x, x + threadIdx.x, true);
  copy_commit();
  copy_wait<0>();
  y[threadIdx.x] = before + s[threadIdx.x];
}
EXPORT(copied_over)

// neighbours has every block write its part of y and read a number of the next
// block's part, from x or from y itself.
KERNEL void LAUNCH_BOUNDS(32, 1) neighbours(const float* x, float* y) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  const float next = x[(i + 32) % (gridDim.x * blockDim.x)];
  y[i] = next + 1.0f;
}
EXPORT(neighbours)

// written_twice has two blocks write one number.
KERNEL void LAUNCH_BOUNDS(32, 1) written_twice(float* y) { y[threadIdx.x] = (float)blockIdx.x; }
EXPORT(written_twice)

// through_global hands numbers on in global memory within a block, with a barrier
// or without.
KERNEL void LAUNCH_BOUNDS(64, 1) through_global(float* y, int between) {
  y[threadIdx.x] = 1.0f;
  if (between) barrier();
  const float other = y[63 - threadIdx.x];
  barrier();
  y[threadIdx.x] = other + 1.0f;
}
EXPORT(through_global)

// halves has neighbouring threads write the two halves of a word.
KERNEL void LAUNCH_BOUNDS(64, 1) halves(float* y) {
  unsigned short* s = shared_memory<unsigned short>();
  s[threadIdx.x] = (unsigned short)threadIdx.x;
  barrier();
  y[threadIdx.x] = (float)s[63 - threadIdx.x];
}
EXPORT(halves)

// sum_from adds n numbers of x, from the first on, to each of y.
KERNEL void LAUNCH_BOUNDS(32, 1) sum_from(const float* x, float* y, int n) {
  float sum = 0;
  for (int i = 0; i < n; i++) sum += x[i];
  y[threadIdx.x] = sum;
}
EXPORT(sum_from)

// shared_from reads number i of shared memory, the first of which it wrote.
KERNEL void LAUNCH_BOUNDS(32, 1) shared_from(float* y, int i) {
  float* s = shared_memory<float>();
  if (threadIdx.x == 0) s[0] = 1.0f;
  barrier();
  y[threadIdx.x] = s[i];
}
EXPORT(shared_from)
