// The instructions of primitives.cuh and the functions of mathfn.cuh, each by
// itself, so that a test can hold what a device does to what their comments say.
// Nothing else launches these kernels.
#include "prelude.cuh"

// probe_shuffles writes what each lane of a warp gets from lane^by, from lane+by
// and from lane 31-lane.
KERNEL void LAUNCH_BOUNDS(32, 1)
    probe_shuffles(const double* v, double* across, double* below, double* turned, int by) {
  const int lane = (int)threadIdx.x;
  across[lane] = shuffle_xor(v[lane], by);
  below[lane] = shuffle_down(v[lane], by);
  turned[lane] = shuffle(v[lane], 31 - lane);
}
EXPORT(probe_shuffles)

// probe_matrices writes the four registers that each lane gets of four 8x8
// matrices of 16-bit numbers, as they are and transposed. A lane has brought row
// lane%8 of matrix lane/8, eight numbers in four words.
KERNEL void LAUNCH_BOUNDS(32, 1)
    probe_matrices(const unsigned* x, unsigned* straight, unsigned* transposed) {
  unsigned* row = shared_memory<unsigned>() + 4 * threadIdx.x;
  for (int j = 0; j < 4; j++) row[j] = x[4 * threadIdx.x + j];
  barrier();
  unsigned d[4];
  load_matrices(d, shared_address(row));
  for (int i = 0; i < 4; i++) straight[4 * threadIdx.x + i] = d[i];
  load_transposed(d, shared_address(row));
  for (int i = 0; i < 4; i++) transposed[4 * threadIdx.x + i] = d[i];
}
EXPORT(probe_matrices)

template <bool halves>
DEVICE void multiply(const unsigned* a, const unsigned* b, float* d, int steps) {
  const int lane = (int)threadIdx.x;
  float sum[4];
  for (int r = 0; r < 4; r++) sum[r] = d[4 * lane + r];
  for (int at = lane; at < 32 * steps; at += 32) {
    const unsigned fa[4] = {a[4 * at], a[4 * at + 1], a[4 * at + 2], a[4 * at + 3]};
    const unsigned fb[2] = {b[2 * at], b[2 * at + 1]};
    if (halves) mma_bf16(sum, fa, fb);
    else mma_tf32(sum, fa, fb);
  }
  for (int r = 0; r < 4; r++) d[4 * lane + r] = sum[r];
}

// probe_mma_tf32 adds the products of several steps to d. Every lane has four
// registers of a and two of b a step, and four of d, side by side in memory.
KERNEL void LAUNCH_BOUNDS(32, 1)
    probe_mma_tf32(const unsigned* a, const unsigned* b, float* d, int steps) {
  multiply<false>(a, b, d, steps);
}
EXPORT(probe_mma_tf32)

// probe_mma_bf16 is probe_mma_tf32 with registers of two bfloat16 each.
KERNEL void LAUNCH_BOUNDS(32, 1)
    probe_mma_bf16(const unsigned* a, const unsigned* b, float* d, int steps) {
  multiply<true>(a, b, d, steps);
}
EXPORT(probe_mma_bf16)

// probe_copies brings five numbers a lane to shared memory in two groups of
// asynchronous copies, those of the lanes before valid alone, and writes what the
// lane opposite brought: each group once it is waited for.
KERNEL void LAUNCH_BOUNDS(32, 1) probe_copies(const float* x, float* y, int valid) {
  float* s = shared_memory<float>();
  const int lane = (int)threadIdx.x, other = 31 - lane;
  const float* wide = x + 32 + 4 * lane;
  copy_async4(s + lane, x + lane, lane < valid);
  copy_commit();
  copy_async16(s + 32 + 4 * lane, wide, lane < valid);
  copy_commit();
  copy_wait<1>();
  barrier();
  y[lane] = s[other];
  copy_wait<0>();
  barrier();
  float v[4];
  for (int j = 0; j < 4; j++) v[j] = s[32 + 4 * other + j];
  write_global16(y + 32 + 4 * lane, v);
  read_global16(v, wide);
  write_global16(y + 160 + 4 * lane, v);
}
EXPORT(probe_copies)

// probe_rounding writes each number as tf32, and as a pair of bfloat16 with the
// one behind it.
KERNEL void LAUNCH_BOUNDS(32, 1)
    probe_rounding(const float* x, unsigned* single, unsigned* pair, int n) {
  for (int i = (int)threadIdx.x; i < n; i += 32) {
    single[i] = to_tf32(x[i]);
    pair[i] = pack_bf16(x[i], x[(i + 1) % n]);
  }
}
EXPORT(probe_rounding)

// probe_arithmetic writes the root of |a|, a b + c rounded once, and the lesser
// and the greater of a and b.
KERNEL void LAUNCH_BOUNDS(32, 1)
    probe_arithmetic(const float* a, const float* b, const float* c, float* root, float* sum,
                     float* least, float* most, int n) {
  for (int i = (int)threadIdx.x; i < n; i += 32) {
    root[i] = square_root(absolute(a[i]));
    sum[i] = fused(a[i], b[i], c[i]);
    least[i] = minimum(a[i], b[i]);
    most[i] = maximum(a[i], b[i]);
  }
}
EXPORT(probe_arithmetic)

// probe_functions writes e^x, the logarithm of |x|, sine and cosine.
KERNEL void LAUNCH_BOUNDS(256, 1)
    probe_functions(const float* x, float* power, float* logarithm, float* sine, float* cosine,
                    int n) {
  const int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
  if (i >= n) return;
  power[i] = fast_exp(x[i]);
  logarithm[i] = fast_log(absolute(x[i]));
  sine[i] = precise_sin(x[i]);
  cosine[i] = precise_cos(x[i]);
}
EXPORT(probe_functions)
