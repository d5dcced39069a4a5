// Kernels that are right.
#include "../../../internal/cuda/kernels/prelude.cuh"

// block_sum writes each block's sum of its part of x, in a tree.
KERNEL void LAUNCH_BOUNDS(256, 1) block_sum(const float* x, float* y) {
  float* s = shared_memory<float>();
  s[threadIdx.x] = x[blockIdx.x * blockDim.x + threadIdx.x];
  for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
    barrier();
    if (threadIdx.x < half) s[threadIdx.x] += s[threadIdx.x + half];
  }
  if (threadIdx.x == 0) y[blockIdx.x] = s[0];
}
EXPORT(block_sum)

// butterfly writes every lane's sum over its warp, in float32 and in float64.
KERNEL void LAUNCH_BOUNDS(256, 1) butterfly(const float* x, float* y, float* z) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  float sum = x[i];
  double wide = x[i];
  for (int mask = 16; mask > 0; mask /= 2) {
    sum += shuffle_xor(sum, mask);
    wide += shuffle_xor(wide, mask);
  }
  y[i] = sum;
  z[i] = (float)wide;
}
EXPORT(butterfly)

// shuffles writes what lanes get from lane+delta and from lane 31-lane.
KERNEL void LAUNCH_BOUNDS(32, 1) shuffles(const float* x, float* down, float* turned, int delta) {
  const int i = (int)threadIdx.x;
  down[i] = shuffle_down(x[i], delta);
  warp_barrier();
  turned[i] = shuffle(x[i], 31 - i);
}
EXPORT(shuffles)

// product_tf32 writes C [16,8] = A [16,8k] B [8k,8], row by row, with one warp.
KERNEL void LAUNCH_BOUNDS(32, 1) product_tf32(const float* a, const float* b, float* c, int steps) {
  const int group = (int)threadIdx.x / 4, member = (int)threadIdx.x % 4, depth = 8 * steps;
  float d[4] = {0, 0, 0, 0};
  for (int k = 0; k < depth; k += 8) {
    const float* row = a + group * depth + k + member;
    const float* column = b + (k + member) * 8 + group;
    const unsigned fa[4] = {to_tf32(row[0]), to_tf32(row[8 * depth]), to_tf32(row[4]),
                            to_tf32(row[8 * depth + 4])};
    const unsigned fb[2] = {to_tf32(column[0]), to_tf32(column[4 * 8])};
    mma_tf32(d, fa, fb);
  }
  float* out = c + group * 8 + 2 * member;
  out[0] = d[0];
  out[1] = d[1];
  out[64] = d[2];
  out[65] = d[3];
}
EXPORT(product_tf32)

// product_bf16 is the same with depth 16 a step.
KERNEL void LAUNCH_BOUNDS(32, 1) product_bf16(const float* a, const float* b, float* c, int steps) {
  const int group = (int)threadIdx.x / 4, member = (int)threadIdx.x % 4, depth = 16 * steps;
  float d[4] = {0, 0, 0, 0};
  for (int k = 0; k < depth; k += 16) {
    const float* upper = a + group * depth + k + 2 * member;
    const float* lower = upper + 8 * depth;
    const float* column = b + (k + 2 * member) * 8 + group;
    const unsigned fa[4] = {pack_bf16(upper[0], upper[1]), pack_bf16(lower[0], lower[1]),
                            pack_bf16(upper[8], upper[9]), pack_bf16(lower[8], lower[9])};
    const unsigned fb[2] = {pack_bf16(column[0], column[8]), pack_bf16(column[64], column[72])};
    mma_bf16(d, fa, fb);
  }
  float* out = c + group * 8 + 2 * member;
  out[0] = d[0];
  out[1] = d[1];
  out[64] = d[2];
  out[65] = d[3];
}
EXPORT(product_bf16)

// matrices writes the words that lanes get of four matrices of 8x8 16-bit numbers,
// plain and transposed. Lanes write over what they read at once.
KERNEL void LAUNCH_BOUNDS(32, 1) matrices(const float* x, float* plain, float* turned) {
  float* s = shared_memory<float>();
  const int lane = (int)threadIdx.x, row = 4 * lane;
  for (int i = 0; i < 4; i++) s[row + i] = x[row + i];
  warp_barrier();
  unsigned a[4], b[4];
  load_matrices(a, shared_address(s + row));
  load_transposed(b, shared_address(s + row));
  for (int i = 0; i < 4; i++) s[row + i] = 0.0f;
  for (int i = 0; i < 4; i++) {
    plain[row + i] = __builtin_bit_cast(float, a[i]);
    turned[row + i] = __builtin_bit_cast(float, b[i]);
  }
}
EXPORT(matrices)

// pipeline sums n pieces of 4*threads numbers with two stages in flight; numbers
// from `valid` on count as 0.
KERNEL void LAUNCH_BOUNDS(64, 1) pipeline(const float* x, float* y, int n, int valid) {
  float* s = shared_memory<float>();
  const int width = 4 * (int)blockDim.x, mine = 4 * (int)threadIdx.x;
  const auto fetch = [&](int piece) {
    const int at = piece * width + mine;
    if (piece < n) copy_async16(s + piece % 3 * width + mine, x + at, at < valid);
    copy_commit();
  };
  fetch(0);
  fetch(1);
  float sum[4] = {0, 0, 0, 0};
  for (int piece = 0; piece < n; piece++) {
    copy_wait<1>();
    barrier();
    fetch(piece + 2);
    const int other = width - 4 - mine; // another thread's
    for (int j = 0; j < 4; j++) sum[j] += s[piece % 3 * width + other + j];
  }
  for (int j = 0; j < 4; j++) y[mine + j] = sum[j];
}
EXPORT(pipeline)

// places writes each thread's number in the grid.
KERNEL void LAUNCH_BOUNDS(256, 1) places(float* y) {
  const unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const unsigned i = block * blockDim.x * blockDim.y * blockDim.z + thread;
  y[i] = (float)i;
}
EXPORT(places)

// scale writes f x.
KERNEL void LAUNCH_BOUNDS(256, 1) scale(const float* x, float* y, int f) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  y[i] = (float)f * x[i];
}
EXPORT(scale)

// bits writes the words of some conversions.
KERNEL void LAUNCH_BOUNDS(32, 1) bits(const float* x, float* y) {
  const unsigned i = threadIdx.x;
  y[2 * i] = __builtin_bit_cast(float, to_tf32(x[i]));
  y[2 * i + 1] = __builtin_bit_cast(float, pack_bf16(0.0f, x[i]));
}
EXPORT(bits)
