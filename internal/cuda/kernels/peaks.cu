// What the device can do at most, for the shares that a measurement reports:
// products in registers, and a copy. The numbers that they compute are known, so
// that a test sees whether all of the work was done.
#include "prelude.cuh"
#include "quads.cuh"

constexpr int chains = 16; // of multiply-adds that do not wait for each other
constexpr int tiles = 8;   // of matrix products
constexpr int quads = 4;   // that a thread has under way in a copy
constexpr float half = 0.5f;

DEVICE int place() { return (int)(blockIdx.x * blockDim.x + threadIdx.x); }

// peak_fp32 computes a = a/2 + 1/2 in every chain, once a turn, from a = 0, and
// writes each thread's sum over chains: chains (1 - 2^-turns).
KERNEL void LAUNCH_BOUNDS(256, 4) peak_fp32(float* y, int turns, float factor) {
  float a[chains] = {};
  for (int i = 0; i < turns; i++)
    for (int j = 0; j < chains; j++) a[j] = fused(a[j], factor, half);
  float sum = 0;
  for (int j = 0; j < chains; j++) sum += a[j];
  y[place()] = sum;
}
EXPORT(peak_fp32)

// tile_sum returns the sum of a lane's part of all tiles.
DEVICE float tile_sum(const float (&d)[tiles][4]) {
  float sum = 0;
  for (int j = 0; j < tiles; j++) sum += (d[j][0] + d[j][1]) + (d[j][2] + d[j][3]);
  return sum;
}

// peak_tf32 adds the product of matrices of 1/2 to every tile, once a turn, and
// writes each thread's sum over tiles: 4 tiles turns 8/4.
KERNEL void LAUNCH_BOUNDS(256, 4) peak_tf32(float* y, int turns, float factor) {
  const unsigned f = to_tf32(factor);
  const unsigned a[4] = {f, f, f, f}, b[2] = {f, f};
  float d[tiles][4] = {};
  for (int i = 0; i < turns; i++)
    for (int j = 0; j < tiles; j++) mma_tf32(d[j], a, b);
  y[place()] = tile_sum(d);
}
EXPORT(peak_tf32)

// peak_bf16 is the same with twice the depth: 4 tiles turns 16/4.
KERNEL void LAUNCH_BOUNDS(256, 4) peak_bf16(float* y, int turns, float factor) {
  const unsigned f = pack_bf16(factor, factor);
  const unsigned a[4] = {f, f, f, f}, b[2] = {f, f};
  float d[tiles][4] = {};
  for (int i = 0; i < turns; i++)
    for (int j = 0; j < tiles; j++) mma_bf16(d[j], a, b);
  y[place()] = tile_sum(d);
}
EXPORT(peak_bf16)

// peak_copy copies n numbers, at addresses that are aligned to 16 bytes.
KERNEL void LAUNCH_BOUNDS(256, 4) peak_copy(const float* x, float* y, int64 n) {
  const int64 step = 4 * (int64)blockDim.x * gridDim.x;
  for (int64 at = 4 * (int64)place(); at < n; at += quads * step) {
    Quad q[quads];
    for (int j = 0; j < quads; j++) q[j] = load_quad(x + at + j * step, n - at - j * step, true);
    for (int j = 0; j < quads; j++) store_quad(y + at + j * step, q[j], n - at - j * step, true);
  }
}
EXPORT(peak_copy)
