// Products of a warpgroup whose operands the host has laid out.
#include "../../../../internal/cuda/kernels/prelude.cuh"

#include "../../../../internal/cuda/kernels/hopper.cuh"

// fill copies words to shared memory by ordinary writes.
DEVICE void fill(unsigned* shared, const unsigned* words, int count) {
  for (int i = (int)threadIdx.x; i < count; i += (int)blockDim.x) shared[i] = words[i];
  async_fence();
  barrier();
}

// store writes D [64,n] row by row.
template <int n> DEVICE void store(const float (&d)[n / 2], float* y) {
  const int t = (int)threadIdx.x, row = t / 32 * 16 + t % 32 / 4, column = 2 * (t % 4);
#pragma unroll
  for (int r = 0; r < n / 2; r++) {
    y[(row + r / 2 % 2 * 8) * n + r / 4 * 8 + column + r % 2] = d[r];
  }
}

// product adds `steps` products of depth 16 to what y [64,n] held. A begins with
// the words, B at word b_at; each step advances them by a_step and b_step bytes.
template <int n, Major major_a, Major major_b>
DEVICE void product(const unsigned* words, float* y, int count, int steps, int swizzle,
                    int a_leading, int a_stride, int a_step, int b_at, int b_leading, int b_stride,
                    int b_step) {
  unsigned char* base = align_shared(shared_memory<unsigned char>(), 1024);
  unsigned* shared = reinterpret_cast<unsigned*>(base);
  fill(shared, words, count);
  const Swizzle mode = (Swizzle)swizzle;
  uint64 a = wgmma_operand(shared, (unsigned)a_leading, (unsigned)a_stride, mode);
  uint64 b = wgmma_operand(shared + b_at, (unsigned)b_leading, (unsigned)b_stride, mode);
  float d[n / 2];
  wgmma_fence(d);
  for (int k = 0; k < steps; k++) {
    wgmma_fence();
    wgmma_bf16<n, major_a, major_b>(d, a, b, k > 0);
    wgmma_commit();
    a = wgmma_advance(a, (unsigned)a_step);
    b = wgmma_advance(b, (unsigned)b_step);
  }
  wgmma_wait<0>(d);
  store<n>(d, y);
}

#define PRODUCT(name, n, a, b)                                                                 \
  KERNEL void LAUNCH_BOUNDS(128, 1)                                                            \
      name(const unsigned* words, float* y, int count, int steps, int swizzle, int a_leading,  \
           int a_stride, int a_step, int b_at, int b_leading, int b_stride, int b_step) {      \
    product<n, Major::a, Major::b>(words, y, count, steps, swizzle, a_leading, a_stride,       \
                                   a_step, b_at, b_leading, b_stride, b_step);                 \
  }                                                                                            \
  EXPORT(name)
#define PRODUCTS(n)                  \
  PRODUCT(wgmma##n##_k_k, n, k, k)   \
  PRODUCT(wgmma##n##_k_mn, n, k, mn) \
  PRODUCT(wgmma##n##_mn_k, n, mn, k) \
  PRODUCT(wgmma##n##_mn_mn, n, mn, mn)
PRODUCTS(64)
PRODUCTS(128)
PRODUCTS(256)
