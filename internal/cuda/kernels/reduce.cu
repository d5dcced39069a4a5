// Sums over the pixels of a feature map, over an image and over the batch, and
// the cross-entropy of a row of logits. Every sum has one order, which the shape
// of its own part alone decides.
#include "prelude.cuh"
#include "quads.cuh"

// sum_maps writes scale times the sum over the pixels of each feature map. The
// threads of one threadIdx.y have one map. Shared memory: a float a warp.
KERNEL void LAUNCH_BOUNDS(256, 4)
    sum_maps(const float* x, float* y, int maps, int pixels, float scale) {
  const int map = blockIdx.x * blockDim.y + threadIdx.y;
  x += (int64)minimum(map, maps - 1) * pixels; // of threads without a map, too
  const bool wide = aligned(x, 16);
  float sum = 0;
  for (int at = 4 * threadIdx.x; at < pixels; at += 4 * blockDim.x)
    sum += total(load_quad(x + at, pixels - at, wide));
  sum = row_sum(sum, shared_memory<float>());
  if (map < maps && threadIdx.x == 0) y[map] = sum * scale;
}
EXPORT(sum_maps)

// spread_maps writes scale * g to every pixel of each feature map: the transpose
// of sum_maps. A thread writes a quad; factor and shift divide by a map's quads.
KERNEL void LAUNCH_BOUNDS(256, 4) spread_maps(const float* g, float* y, int maps, int pixels,
                                              unsigned factor, unsigned shift, float scale) {
  const unsigned q = blockIdx.x * blockDim.x + threadIdx.x;
  const unsigned per_map = (unsigned)(pixels + 3) / 4;
  const unsigned map = quotient(q, factor, shift);
  if (map >= (unsigned)maps) return;
  const int at = 4 * (int)(q - map * per_map);
  const float v = scale * g[map];
  const bool wide = pixels % 4 == 0 && aligned(y, 16);
  store_quad(y + (int64)map * pixels + at, Quad{{v, v, v, v}}, pixels - at, wide);
}
EXPORT(spread_maps)

// squared_error writes w[n] * sum (d-y)^2 over image n = blockIdx.x. Shared
// memory: a float a warp.
KERNEL void LAUNCH_BOUNDS(512, 2)
    squared_error(const float* d, const float* y, const float* w, float* out, int64 size) {
  d += blockIdx.x * size;
  y += blockIdx.x * size;
  const bool wide = aligned(d, 16) && aligned(y, 16);
  float sum = 0;
  for (int64 at = 4 * threadIdx.x; at < size; at += 4 * blockDim.x) {
    Quad p = load_quad(d + at, size - at, wide);
    const Quad q = load_quad(y + at, size - at, wide);
    for (int j = 0; j < 4; j++) {
      const float e = p.v[j] - q.v[j];
      p.v[j] = e * e;
    }
    sum += total(p);
  }
  sum = row_sum(sum, shared_memory<float>());
  if (threadIdx.x == 0) out[blockIdx.x] = w[blockIdx.x] * sum;
}
EXPORT(squared_error)

// sum_columns writes the sum over n rows of the elements in each of c columns, in
// float64: rows are stride elements apart, columns step. With m, whose rows are
// 2c long, an element is first multiplied by 1 + m[row,column]. The threads of one
// threadIdx.x have one column. Shared memory: a double a thread.
KERNEL void LAUNCH_BOUNDS(256, 2)
    sum_columns(const float* x, const float* m, float* y, int n, int c, int64 stride, int step) {
  const int column = blockIdx.x * 32 + threadIdx.x;
  double sum = 0;
  if (column < c) {
    for (int i = threadIdx.y; i < n; i += blockDim.y) {
      const double v = x[i * stride + (int64)column * step];
      sum += m ? v * (1.0 + m[2 * (int64)i * c + column]) : v;
    }
  }
  double* parts = shared_memory<double>() + threadIdx.x;
  parts[32 * threadIdx.y] = sum;
  barrier();
  if (threadIdx.y != 0 || column >= c) return;
  for (unsigned k = 1; k < blockDim.y; k++) sum += parts[32 * k];
  y[column] = (float)sum;
}
EXPORT(sum_columns)

// Softmax is what a row's exponentials need: e^(z-top) over its sum, of which it
// has the logarithm.
struct Softmax {
  float top, log_sum;
};

// softmax_of returns it of the k logits of a row, which a warp has.
DEVICE Softmax softmax_of(const float* z, int k) {
  Softmax s;
  s.top = z[0];
  for (int j = threadIdx.x; j < k; j += 32) s.top = maximum(s.top, z[j]);
  s.top = warp_maximum(s.top);
  float sum = 0;
  for (int j = threadIdx.x; j < k; j += 32) sum += fast_exp(z[j] - s.top);
  s.log_sum = fast_log(warp_sum(sum));
  return s;
}

// cross_entropy writes -sum_k t[n,k] ln softmax(z[n])_k. A warp has a row.
KERNEL void LAUNCH_BOUNDS(128, 1)
    cross_entropy(const float* z, const float* t, float* y, int n, int k) {
  const int row = blockIdx.x * blockDim.y + threadIdx.y;
  if (row >= n) return; // a whole warp
  z += (int64)row * k;
  t += (int64)row * k;
  const Softmax s = softmax_of(z, k);
  float sum = 0;
  for (int j = threadIdx.x; j < k; j += 32) sum += t[j] * (s.top - z[j] + s.log_sum);
  sum = warp_sum(sum);
  if (threadIdx.x == 0) y[row] = sum;
}
EXPORT(cross_entropy)

// cross_entropy_grad writes g[n] (softmax(z[n]) sum(t[n]) - t[n]).
KERNEL void LAUNCH_BOUNDS(128, 1) cross_entropy_grad(const float* z, const float* t, const float* g,
                                                     float* dz, int n, int k) {
  const int row = blockIdx.x * blockDim.y + threadIdx.y;
  if (row >= n) return; // a whole warp
  z += (int64)row * k;
  t += (int64)row * k;
  dz += (int64)row * k;
  const Softmax s = softmax_of(z, k);
  float weight = 0;
  for (int j = threadIdx.x; j < k; j += 32) weight += t[j];
  weight = warp_sum(weight);
  for (int j = threadIdx.x; j < k; j += 32)
    dz[j] = g[row] * (fast_exp(z[j] - s.top - s.log_sum) * weight - t[j]);
}
EXPORT(cross_entropy_grad)
