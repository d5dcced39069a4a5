// Embeddings of the noise label by sines and cosines. They are small, so that
// angles may be float64.
#include "prelude.cuh"

// positional writes the cosines and sines of t[n] * e^(-i rate), 0 <= i < half, to
// the row of n, from cos_at and sin_at on. rate is the sum of two floats. A thread
// has one frequency of one label.
KERNEL void LAUNCH_BOUNDS(128, 1) positional(const float* t, float* y, int n, int half, float rate,
                                             float rate_rest, int cos_at, int sin_at) {
  const int index = blockIdx.x * blockDim.x + threadIdx.x;
  if (index >= n * half) return;
  const int row = index / half, i = index % half;
  const double angle = (double)t[row] * precise_exp(-i * ((double)rate + (double)rate_rest));
  y += 2 * (int64)row * half + i;
  y[cos_at] = (float)precise_cos(angle);
  y[sin_at] = (float)precise_sin(angle);
}
EXPORT(positional)

// fourier writes the cosines and sines of 2 pi freqs[k] t[n] to the row of n, from
// cos_at and sin_at on. The products are float32, as the definition has them. A
// thread has one frequency of one label.
KERNEL void LAUNCH_BOUNDS(128, 1) fourier(const float* t, const float* freqs, float* y, int n,
                                          int half, int cos_at, int sin_at) {
  const int index = blockIdx.x * blockDim.x + threadIdx.x;
  if (index >= n * half) return;
  const int row = index / half, k = index % half;
  const float turn = 6.2831855f * freqs[k];
  const double angle = t[row] * turn;
  y += 2 * (int64)row * half + k;
  y[cos_at] = (float)precise_cos(angle);
  y[sin_at] = (float)precise_sin(angle);
}
EXPORT(fourier)
