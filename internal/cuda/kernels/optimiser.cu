// Passes over the flat buffers of parameters: Adam with the weight average, and
// the sum of squares of the gradient.
#include "prelude.cuh"
#include "quads.cuh"

// The numbers of a step, which change from run to run and so lie in device
// memory: control[...].
enum Control { grad_scale, beta1, rest1, beta2, rest2, step_size, root, epsilon, ema_beta };

// adam advances weights w, their average ema and moments m and v along gradient g
// by one step (Kingma & Ba 2015, Alg. 1):
//
//   m = beta1 m + rest1 d     v = beta2 v + rest2 d^2     d = grad_scale g
//   w = w - step_size m / (sqrt(v) root + epsilon)        ema = w + ema_beta (ema - w)
KERNEL void LAUNCH_BOUNDS(256, 3) adam(float* w, float* ema, float* m, float* v, const float* g,
                                       const float* control, int64 n) {
  const float scale = control[grad_scale], b1 = control[beta1], r1 = control[rest1],
              b2 = control[beta2], r2 = control[rest2], size = control[step_size],
              correct = control[root], eps = control[epsilon], beta = control[ema_beta];
  const bool wide = aligned(w, 16) && aligned(ema, 16) && aligned(m, 16) && aligned(v, 16) &&
                    aligned(g, 16);
  const int64 step = 4 * (int64)blockDim.x;
  for (int64 at = blockIdx.x * step + 4 * threadIdx.x; at < n; at += gridDim.x * step) {
    const int64 left = n - at;
    const Quad gs = load_quad(g + at, left, wide);
    Quad ws = load_quad(w + at, left, wide), es = load_quad(ema + at, left, wide);
    Quad ms = load_quad(m + at, left, wide), vs = load_quad(v + at, left, wide);
    for (int j = 0; j < 4; j++) {
      const float d = scale * gs.v[j];
      ms.v[j] = b1 * ms.v[j] + r1 * d;
      vs.v[j] = b2 * vs.v[j] + r2 * d * d;
      ws.v[j] -= size * ms.v[j] / (square_root(vs.v[j]) * correct + eps);
      es.v[j] = ws.v[j] + beta * (es.v[j] - ws.v[j]);
    }
    store_quad(w + at, ws, left, wide);
    store_quad(ema + at, es, left, wide);
    store_quad(m + at, ms, left, wide);
    store_quad(v + at, vs, left, wide);
  }
}
EXPORT(adam)

// sum_squares writes each block's part of the sum of squares of x, in float64: a
// number that is not finite makes it so. Shared memory: a double a warp.
KERNEL void LAUNCH_BOUNDS(256, 4) sum_squares(const float* x, double* partial, int64 n) {
  const bool wide = aligned(x, 16);
  const int64 step = 4 * (int64)blockDim.x;
  double sum = 0;
  for (int64 at = blockIdx.x * step + 4 * threadIdx.x; at < n; at += gridDim.x * step) {
    const Quad q = load_quad(x + at, n - at, wide);
    for (int j = 0; j < 4; j++) sum += (double)q.v[j] * q.v[j];
  }
  sum = row_sum(sum, shared_memory<double>());
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}
EXPORT(sum_squares)

// sum_partials writes the sum of count parts; it is one block. Shared memory: a
// double a warp.
KERNEL void LAUNCH_BOUNDS(256, 1) sum_partials(const double* partial, double* result, int count) {
  double sum = 0;
  for (int i = threadIdx.x; i < count; i += blockDim.x) sum += partial[i];
  sum = row_sum(sum, shared_memory<double>());
  if (threadIdx.x == 0) *result = sum;
}
EXPORT(sum_partials)
