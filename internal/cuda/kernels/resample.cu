// Changes of image size: a separable filter of 2, 4, 6 or 8 taps with decimation
// by 2, its transpose, and borders. In pairs of pixels of the large image, filter
// and transpose reach taps/4 pairs to each side.
#include "prelude.cuh"
#include "quads.cuh"

// Pixel is a pixel of the small image, of h x w, and its feature map.
struct Pixel {
  unsigned map;
  int i, j;
};

// pixel_of returns pixel q of all maps; the factors and shifts divide by w and h.
DEVICE Pixel pixel_of(unsigned q, int h, int w, unsigned factor_w, unsigned shift_w,
                      unsigned factor_h, unsigned shift_h) {
  const unsigned row = quotient(q, factor_w, shift_w);
  const unsigned map = quotient(row, factor_h, shift_h);
  return Pixel{map, (int)(row - map * h), (int)(q - row * w)};
}

// halve returns a pixel of the small image: the large one filtered.
template <int taps>
DEVICE float halve(const float* x, Pixel p, int h, int w, const float (&t)[8]) {
  constexpr int reach = taps / 4, pad = taps / 2 - 1;
  x += (int64)p.map * 4 * h * w;
  float sum = 0;
#pragma unroll
  for (int a = 0; a < taps; a++) {
    const int row = 2 * p.i - pad + a;
    if (row < 0 || row >= 2 * h) continue;
    float across = 0;
#pragma unroll
    for (int d = -reach; d <= reach; d++) {
      const int pair = p.j + d, b = 2 * d + pad; // b is the tap of the pair's first pixel
      if (pair < 0 || pair >= w) continue;
      const float* v = x + (int64)row * 2 * w + 2 * pair;
      if (b >= 0 && b < taps) across = fused(t[b & 7], v[0], across);
      if (b + 1 >= 0 && b + 1 < taps) across = fused(t[(b + 1) & 7], v[1], across);
    }
    sum = fused(t[a], across, sum);
  }
  return sum;
}

// Square is two by two pixels of the large image.
struct Square {
  float v[2][2];
};

// twice returns the square of the large image that pixel p of the small one
// becomes, with its neighbours' parts.
template <int taps>
DEVICE Square twice(const float* x, Pixel p, int h, int w, const float (&t)[8]) {
  constexpr int reach = taps / 4, pad = taps / 2 - 1;
  x += (int64)p.map * h * w;
  Square y = {};
#pragma unroll
  for (int d = -reach; d <= reach; d++) {
    const int row = p.i + d;
    if (row < 0 || row >= h) continue;
    float across[2] = {0, 0};
#pragma unroll
    for (int e = -reach; e <= reach; e++) {
      const int column = p.j + e;
      if (column < 0 || column >= w) continue;
      const float v = x[(int64)row * w + column];
      for (int s = 0; s < 2; s++) {
        const int b = s + pad - 2 * e; // the tap that joins the two
        if (b >= 0 && b < taps) across[s] = fused(t[b & 7], v, across[s]);
      }
    }
    for (int s = 0; s < 2; s++) {
      const int a = s + pad - 2 * d;
      if (a < 0 || a >= taps) continue;
      for (int c = 0; c < 2; c++) y.v[s][c] = fused(t[a & 7], across[c], y.v[s][c]);
    }
  }
  return y;
}

// The parameters of the kernels: count pixels of the small image in all maps, of
// h x w each; t0 to t7 are the taps, of sum 1.
#define SIZES int count, int h, int w, unsigned fw, unsigned sw, unsigned fh, unsigned sh
#define TAPS float gain, float t0, float t1, float t2, float t3, float t4, float t5, float t6, float t7

// down<taps> writes the filtered and decimated image times gain, a thread a pixel.
#define DOWN(taps)                                                                               \
  KERNEL void LAUNCH_BOUNDS(256, 4) down##taps(const float* x, float* y, SIZES, TAPS) {          \
    const unsigned q = blockIdx.x * blockDim.x + threadIdx.x;                                    \
    if (q >= (unsigned)count) return;                                                            \
    const float t[8] = {t0, t1, t2, t3, t4, t5, t6, t7};                                         \
    y[q] = gain * halve<taps>(x, pixel_of(q, h, w, fw, sw, fh, sh), h, w, t);                    \
  }                                                                                              \
  EXPORT(down##taps)

// up<taps> writes the transpose of down<taps>, a thread four pixels.
#define UP(taps)                                                                                 \
  KERNEL void LAUNCH_BOUNDS(256, 4) up##taps(const float* x, float* y, SIZES, TAPS) {            \
    const unsigned q = blockIdx.x * blockDim.x + threadIdx.x;                                    \
    if (q >= (unsigned)count) return;                                                            \
    const float t[8] = {t0, t1, t2, t3, t4, t5, t6, t7};                                         \
    const Pixel p = pixel_of(q, h, w, fw, sw, fh, sh);                                           \
    const Square s = twice<taps>(x, p, h, w, t);                                                 \
    const bool wide = aligned(y, 8);                                                             \
    y += (((int64)p.map * h + p.i) * 2 * w + p.j) * 2;                                           \
    store_pair(y, gain * s.v[0][0], gain * s.v[0][1], wide);                                     \
    store_pair(y + 2 * w, gain * s.v[1][0], gain * s.v[1][1], wide);                             \
  }                                                                                              \
  EXPORT(up##taps)

DOWN(2)
DOWN(4)
DOWN(6)
DOWN(8)
UP(2)
UP(4)
UP(6)
UP(8)

// window writes y of h x w, pixel (i,j) of each map being pixel (i+move, j+move)
// of x, of height x width, or 0 outside it; count is the length of y. The factors
// and shifts divide by w and h.
KERNEL void LAUNCH_BOUNDS(256, 4) window(const float* x, float* y, SIZES, int height, int width,
                                         int move) {
  const unsigned q = blockIdx.x * blockDim.x + threadIdx.x;
  if (q >= (unsigned)count) return;
  const Pixel p = pixel_of(q, h, w, fw, sw, fh, sh);
  const int i = p.i + move, j = p.j + move;
  const bool inside = i >= 0 && i < height && j >= 0 && j < width;
  y[q] = inside ? x[((int64)p.map * height + i) * width + j] : 0.0f;
}
EXPORT(window)
