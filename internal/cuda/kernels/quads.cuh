// What the kernels that are bound by memory share: accesses of 16 bytes, sums in
// a fixed order, division by a number that the host knows. It comes after
// prelude.cuh.
#pragma once

// Quad is four neighbouring numbers, which one access moves.
struct alignas(16) Quad {
  float v[4];
};

// aligned reports whether p is a multiple of bytes, a power of two.
DEVICE bool aligned(const void* p, int bytes) { return ((uint64)p & (uint64)(bytes - 1)) == 0; }

// load_quad reads the numbers at p, of which count are left; past them are
// zeros. wide says that p is aligned to 16 bytes.
DEVICE Quad load_quad(const float* p, int64 count, bool wide) {
  Quad q;
  if (wide && count >= 4) {
    read_global16(q.v, p);
    return q;
  }
  for (int j = 0; j < 4; j++) q.v[j] = j < count ? p[j] : 0.0f;
  return q;
}

// store_quad writes as many numbers of q as are left.
DEVICE void store_quad(float* p, const Quad& q, int64 count, bool wide) {
  if (wide && count >= 4) {
    write_global16(p, q.v);
    return;
  }
  for (int j = 0; j < 4; j++)
    if (j < count) p[j] = q.v[j];
}

// total returns the sum of a quad.
DEVICE float total(const Quad& q) { return (q.v[0] + q.v[1]) + (q.v[2] + q.v[3]); }

// Pair is two neighbouring numbers.
typedef float Pair __attribute__((vector_size(8)));

// store_pair writes both; wide says that p is aligned to 8 bytes.
DEVICE void store_pair(float* p, float a, float b, bool wide) {
  if (wide) {
    *reinterpret_cast<Pair*>(p) = Pair{a, b};
    return;
  }
  p[0] = a;
  p[1] = b;
}

// warp_sum returns the sum over the 32 lanes to all of them.
template <class T> DEVICE T warp_sum(T v) {
  for (int mask = 16; mask > 0; mask /= 2) v += shuffle_xor(v, mask);
  return v;
}

// warp_maximum returns the maximum over the 32 lanes to all of them.
DEVICE float warp_maximum(float v) {
  for (int mask = 16; mask > 0; mask /= 2) v = maximum(v, shuffle_xor(v, mask));
  return v;
}

// row_sum returns the sum over the threads that share a threadIdx.y, which are
// whole warps, to all of them: lanes first, then warps in order. All threads of
// the block call it. scratch holds one T for every warp of the block, and nothing
// else uses it.
template <class T> DEVICE T row_sum(T v, T* scratch) {
  v = warp_sum(v);
  const unsigned warps = blockDim.x / 32;
  if (warps == 1) return v;
  T* row = scratch + threadIdx.y * warps;
  if (threadIdx.x % 32 == 0) row[threadIdx.x / 32] = v;
  barrier();
  T sum = row[0];
  for (unsigned w = 1; w < warps; w++) sum += row[w];
  return sum;
}

// quotient returns n / d for n below 2^31, d being given by the two numbers that
// newDivisor makes of it.
DEVICE unsigned quotient(unsigned n, unsigned factor, unsigned shift) {
  return (unsigned)((uint64)n * factor >> shift);
}

// sigmoid returns 1/(1+e^-x); e^-x overflows to infinity harmlessly.
DEVICE float sigmoid(float x) { return 1.0f / (1.0f + fast_exp(-x)); }

// silu_slope returns the derivative of x sigmoid(x).
DEVICE float silu_slope(float x) {
  const float s = sigmoid(x);
  return s * (1.0f + x * (1.0f - s));
}
