// Operations on single elements: activations, sums, products with a number of
// each image, copies of channels, dropout.
#include "prelude.cuh"
#include "quads.cuh"
#include "dropout.cuh"

// The operations: of elements a and b, and a factor f of the row.
namespace {
struct SiLU {
  static constexpr bool two = false;
  DEVICE float of(float a, float, float) { return a * sigmoid(a); }
};
struct SiLUGrad {
  static constexpr bool two = true;
  DEVICE float of(float x, float g, float) { return g * silu_slope(x); }
};
struct Add {
  static constexpr bool two = true;
  DEVICE float of(float a, float b, float) { return a + b; }
};
struct Scale {
  static constexpr bool two = false;
  DEVICE float of(float a, float, float f) { return f * a; }
};
struct Difference {
  static constexpr bool two = true;
  DEVICE float of(float a, float b, float f) { return f * (a - b); }
};
} // namespace

// Quads of each operand that a thread holds at once.
constexpr int held = 2;

// map_row writes Op of each element of row blockIdx.y. y may be a or b: a thread
// reads all that it overwrites first.
template <class Op>
DEVICE void map_row(const float* a, const float* b, float* y, int64 size, float f) {
  const int64 row = (int64)blockIdx.y * size;
  a += row;
  if (Op::two) b += row;
  y += row;
  const bool wide = aligned(a, 16) && aligned(y, 16) && (!Op::two || aligned(b, 16));
  const int64 step = 4 * held * (int64)blockDim.x;
  for (int64 from = blockIdx.x * step; from < size; from += gridDim.x * step) {
    Quad p[held], q[held];
#pragma unroll
    for (int k = 0; k < held; k++) {
      const int64 at = from + 4 * (int64)(threadIdx.x + k * blockDim.x);
      p[k] = load_quad(a + at, size - at, wide);
      if (Op::two) q[k] = load_quad(b + at, size - at, wide);
    }
#pragma unroll
    for (int k = 0; k < held; k++) {
      const int64 at = from + 4 * (int64)(threadIdx.x + k * blockDim.x);
      for (int j = 0; j < 4; j++) p[k].v[j] = Op::of(p[k].v[j], Op::two ? q[k].v[j] : 0.0f, f);
      store_quad(y + at, p[k], size - at, wide);
    }
  }
}

// silu writes x*sigmoid(x).
KERNEL void LAUNCH_BOUNDS(256, 4) silu(const float* x, float* y, int64 size) {
  map_row<SiLU>(x, nullptr, y, size, 0);
}
EXPORT(silu)

// silu_grad writes g times the slope of SiLU at x.
KERNEL void LAUNCH_BOUNDS(256, 4) silu_grad(const float* x, const float* g, float* y, int64 size) {
  map_row<SiLUGrad>(x, g, y, size, 0);
}
EXPORT(silu_grad)

// add writes a + b.
KERNEL void LAUNCH_BOUNDS(256, 4) add(const float* a, const float* b, float* y, int64 size) {
  map_row<Add>(a, b, y, size, 0);
}
EXPORT(add)

// scale writes f * x.
KERNEL void LAUNCH_BOUNDS(256, 4) scale(const float* x, float* y, int64 size, float f) {
  map_row<Scale>(x, nullptr, y, size, f);
}
EXPORT(scale)

// sample_scale writes v[n] * x of image n = blockIdx.y.
KERNEL void LAUNCH_BOUNDS(256, 4)
    sample_scale(const float* x, const float* v, float* y, int64 size) {
  map_row<Scale>(x, nullptr, y, size, v[blockIdx.y]);
}
EXPORT(sample_scale)

// squared_error_grad writes 2 w[n] g[n] (d - y) of image n = blockIdx.y.
KERNEL void LAUNCH_BOUNDS(256, 4) squared_error_grad(const float* d, const float* y, const float* w,
                                                     const float* g, float* dd, int64 size) {
  map_row<Difference>(d, y, dd, size, 2.0f * w[blockIdx.y] * g[blockIdx.y]);
}
EXPORT(squared_error_grad)

// combine writes a[n]*x + b[n]*f of image n = blockIdx.y; y may be x or f.
KERNEL void LAUNCH_BOUNDS(256, 4) combine(const float* x, const float* f, const float* a,
                                          const float* b, float* y, int64 size) {
  const float u = a[blockIdx.y], v = b[blockIdx.y];
  const int64 row = (int64)blockIdx.y * size;
  const bool wide = aligned(x + row, 16) && aligned(f + row, 16) && aligned(y + row, 16);
  const int64 step = 4 * (int64)blockDim.x;
  for (int64 at = blockIdx.x * step + 4 * threadIdx.x; at < size; at += gridDim.x * step) {
    Quad p = load_quad(x + row + at, size - at, wide);
    const Quad q = load_quad(f + row + at, size - at, wide);
    for (int j = 0; j < 4; j++) p.v[j] = u * p.v[j] + v * q.v[j];
    store_quad(y + row + at, p, size - at, wide);
  }
}
EXPORT(combine)

// copy_rows copies size numbers of row blockIdx.y of x to y, whose rows are as
// far apart as the strides say. Without x it writes zeros.
KERNEL void LAUNCH_BOUNDS(256, 4)
    copy_rows(const float* x, float* y, int64 stride_x, int64 stride_y, int64 size) {
  if (x) x += blockIdx.y * stride_x;
  y += blockIdx.y * stride_y;
  const bool wide = aligned(x, 16) && aligned(y, 16);
  const int64 step = 4 * held * (int64)blockDim.x;
  for (int64 from = blockIdx.x * step; from < size; from += gridDim.x * step) {
    Quad q[held];
#pragma unroll
    for (int k = 0; k < held; k++) {
      const int64 at = from + 4 * (int64)(threadIdx.x + k * blockDim.x);
      q[k] = x ? load_quad(x + at, size - at, wide) : Quad{};
    }
#pragma unroll
    for (int k = 0; k < held; k++) {
      const int64 at = from + 4 * (int64)(threadIdx.x + k * blockDim.x);
      store_quad(y + at, q[k], size - at, wide);
    }
  }
}
EXPORT(copy_rows)

// dropout writes x/(1-p) where the element's random word is at least p*2^32, else
// 0. Element i of image n = blockIdx.y has word i%4 of block first + i/4 of its
// image's counter. Shared memory: a Site.
KERNEL void LAUNCH_BOUNDS(256, 4)
    dropout(const float* x, const float* p, const int64* key, const int64* counters, float* y,
            int64 size, unsigned first, unsigned stream) {
  Site* site = shared_memory<Site>();
  if (threadIdx.x == 0) *site = site_of(p[0], key[0], first, stream);
  barrier();
  const Site s = *site;
  const uint64 image = (uint64)counters[blockIdx.y];
  const int64 row = (int64)blockIdx.y * size;
  const bool wide = aligned(x + row, 16) && aligned(y + row, 16);
  const int64 step = 4 * (int64)blockDim.x;
  for (int64 at = blockIdx.x * step + 4 * threadIdx.x; at < size; at += gridDim.x * step) {
    Quad q = load_quad(x + row + at, size - at, wide);
    drop(q, s, image, (unsigned)(at / 4));
    store_quad(y + row + at, q, size - at, wide);
  }
}
EXPORT(dropout)
