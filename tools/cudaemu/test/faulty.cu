// Kernels that are wrong, each in one way.
#include "../../../internal/cuda/kernels/prelude.cuh"

// missing_barrier reads what a thread of another warp wrote.
KERNEL void LAUNCH_BOUNDS(64, 1) missing_barrier(float* y) {
  float* s = shared_memory<float>();
  s[threadIdx.x] = 1.0f;
  y[threadIdx.x] = s[63 - threadIdx.x];
}
EXPORT(missing_barrier)

// missing_warp_barrier reads what another lane wrote.
KERNEL void LAUNCH_BOUNDS(32, 1) missing_warp_barrier(float* y) {
  float* s = shared_memory<float>();
  s[threadIdx.x] = 1.0f;
  y[threadIdx.x] = s[31 - threadIdx.x];
}
EXPORT(missing_warp_barrier)

// overwritten writes again before all have read: a barrier is missing at the end
// of each round.
KERNEL void LAUNCH_BOUNDS(64, 1) overwritten(float* y) {
  float* s = shared_memory<float>();
  float sum = 0;
  for (int round = 0; round < 4; round++) {
    s[threadIdx.x] = (float)round;
    barrier();
    sum += s[63 - threadIdx.x];
  }
  y[threadIdx.x] = sum;
}
EXPORT(overwritten)

KERNEL void LAUNCH_BOUNDS(64, 1) divergent_barrier(float* y) {
  if (threadIdx.x < 33) barrier();
  y[threadIdx.x] = 0;
}
EXPORT(divergent_barrier)

KERNEL void LAUNCH_BOUNDS(64, 1) two_barriers(float* y) {
  if (threadIdx.x < 32) {
    barrier();
  } else {
    y[threadIdx.x] = 0;
    barrier();
  }
}
EXPORT(two_barriers)

KERNEL void LAUNCH_BOUNDS(32, 1) partial_warp(float* y) {
  if (threadIdx.x < 16) y[threadIdx.x] = shuffle_xor(1.0f, 1);
}
EXPORT(partial_warp)

KERNEL void LAUNCH_BOUNDS(32, 1) mixed_warp(float* y) {
  y[threadIdx.x] = threadIdx.x % 2 ? shuffle_xor(1.0f, 2) : shuffle_down(1.0f, 2);
}
EXPORT(mixed_warp)

KERNEL void LAUNCH_BOUNDS(32, 1) warp_and_block(float* y) {
  if (threadIdx.x == 7) barrier();
  y[threadIdx.x] = shuffle_xor(1.0f, 1);
}
EXPORT(warp_and_block)

// touch writes element i of y.
KERNEL void LAUNCH_BOUNDS(32, 1) touch(float* y, int i) {
  if (threadIdx.x == 5) y[i] = 1.0f;
}
EXPORT(touch)

KERNEL void LAUNCH_BOUNDS(32, 1) touch_shared(float* y, int i) {
  if (threadIdx.x == 5) shared_memory<float>()[i] = 1.0f;
  y[threadIdx.x] = 0;
}
EXPORT(touch_shared)

// early_read does not wait for its copy.
KERNEL void LAUNCH_BOUNDS(32, 1) early_read(const float* x, float* y) {
  float* s = shared_memory<float>();
  copy_async4(s + threadIdx.x, x + threadIdx.x, true);
  copy_commit();
  copy_wait<1>();
  y[threadIdx.x] = s[threadIdx.x];
}
EXPORT(early_read)

// copy16 copies from element `from` of x to element `to`.
KERNEL void LAUNCH_BOUNDS(32, 1) copy16(const float* x, float* y, int from, int to) {
  float* s = shared_memory<float>();
  if (threadIdx.x == 3) copy_async16(s + to, x + from, true);
  copy_commit();
  copy_wait<0>();
  barrier();
  y[threadIdx.x] = s[threadIdx.x];
}
EXPORT(copy16)

// load_row has lane 3 name the row that begins at that byte.
KERNEL void LAUNCH_BOUNDS(32, 1) load_row(float* y, int at) {
  float* s = shared_memory<float>();
  s[threadIdx.x] = 1.0f;
  warp_barrier();
  unsigned words[4];
  load_matrices(words, shared_address(s) + (threadIdx.x == 3 ? at : 0));
  y[threadIdx.x] = (float)words[0];
}
EXPORT(load_row)

KERNEL void LAUNCH_BOUNDS(32, 1) divide(float* y, int by) {
  y[threadIdx.x] = (float)((int)threadIdx.x / by);
}
EXPORT(divide)

KERNEL void LAUNCH_BOUNDS(32, 1) large_frame(float* y, int n) {
  volatile float local[65536];
  for (int i = 0; i < n; i++) local[i] = (float)i;
  y[threadIdx.x] = local[n / 2];
}
EXPORT(large_frame)

struct alignas(16) Quad {
  float v[4];
};

// read_quad reads 16 bytes from element i on.
KERNEL void LAUNCH_BOUNDS(32, 1) read_quad(const float* x, float* y, int i) {
  y[threadIdx.x] = reinterpret_cast<const Quad*>(x + i)->v[1];
}
EXPORT(read_quad)

KERNEL void LAUNCH_BOUNDS(32, 1) local_array(float* y, int i) {
  float local[4];
  for (int j = 0; j < 4; j++) local[j] = (float)j * (float)i;
  y[threadIdx.x] = local[i];
}
EXPORT(local_array)

KERNEL void LAUNCH_BOUNDS(32, 1) shift(float* y, int by) { y[threadIdx.x] = (float)(1u << by); }
EXPORT(shift)
