// Linear layers and their gradients: C [rows][columns] = scale * A B + bias, where
// A(m, k) = a[m*aRow + k*aStep] and B(k, n) = b[k*bStep + n*bColumn]. One of the
// two strides of either is 1.
//
// The floor: a layer of 512 x 512 on 64 rows does 34 Mflop and moves 1.3 MiB, 26
// flop a byte: it is bound by the reading of the weights, and in fact by latency,
// so tiles are small, that there be many. A tile's terms come DEPTH at a time, as
// [term][row] whatever the strides, and sums run over terms in order.
#include "prelude.cuh"

#include "gemm.cuh"

namespace linear {

constexpr int TILE = 32;   // rows and columns of a block; a warp has 16 x 16
constexpr int DEPTH = 32;  // terms at a time
constexpr int STAGES = 3;  // of them in shared memory at once
constexpr int STRIDE = 34; // between terms; 2 mod 8 keeps lanes in different banks
constexpr int PANEL = DEPTH * STRIDE;

// Matrix is a factor: element (i, k), i a row of A or a column of B.
struct Matrix {
  const float* at;
  int count, depth, outer, step;
};

// load starts the copies of terms [first, first+DEPTH) of TILE rows from top on.
DEVICE void load(float* to, const Matrix& s, int top, int first) {
  const int major = threadIdx.x / 32, minor = threadIdx.x % 32;
  for (int j = major; j < 32; j += gemm::THREADS / 32) {
    const int i = s.step == 1 ? j : minor, k = s.step == 1 ? minor : j;
    const bool valid = top + i < s.count && first + k < s.depth;
    const long long at = (long long)(top + i) * s.outer + (long long)(first + k) * s.step;
    copy_async4(to + k * STRIDE + i, s.at + (valid ? at : 0), valid);
  }
}

// own reads a lane's four terms of a group in one row: k = 4 (lane mod 4) + 0 to 3.
DEVICE void own(float (&v)[4], const float* panel) {
#pragma unroll
  for (int j = 0; j < 4; j++) v[j] = panel[j * STRIDE];
}

// accumulate adds the products of a group; a and b are the warp's first row and
// column of its first term.
template <class P>
DEVICE void accumulate(float (&d)[1][2][4], const float* a, const float* b, int lane) {
  if constexpr (P::tensor) {
    const int from = 4 * (lane & 3) * STRIDE + (lane >> 2);
    float top[4], low[4], terms[4];
    own(top, a + from);
    own(low, a + from + 8);
    typename P::Left left;
    gemm::round_left(left, top, low);
#pragma unroll
    for (int j = 0; j < 2; j++) {
      own(terms, b + from + 8 * j);
      typename P::Right right;
      gemm::round_right(right, terms);
      gemm::multiply(d[0][j], left, right);
    }
  } else {
#pragma unroll 4
    for (int k = 0; k < gemm::GROUP; k++) {
      gemm::FourFloats rows[1];
#pragma unroll
      for (int r = 0; r < 4; r++) rows[0].v[r] = a[k * STRIDE + gemm::row_of(false, lane, r)];
#pragma unroll
      for (int j = 0; j < 2; j++)
        gemm::multiply_column(d, j, rows, b[k * STRIDE + 8 * j + (lane & 7)]);
    }
  }
}

// multiply computes one tile of C; bias [columns] may be null.
template <class P>
DEVICE void multiply(float* c, const Matrix& a, const Matrix& b, const float* bias, float scale) {
  const int across = (b.count + TILE - 1) / TILE;
  const int top = blockIdx.x / across * TILE, left = blockIdx.x % across * TILE;
  const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
  const int row = warp / 2 * 16, column = warp % 2 * 16;
  float* panels = shared_memory<float>();
  const auto fetch = [&](int number) {
    float* to = panels + number % STAGES * (2 * PANEL);
    if (number * DEPTH < a.depth) {
      load(to, a, top, number * DEPTH);
      load(to + PANEL, b, left, number * DEPTH);
    }
    copy_commit();
  };
  float d[1][2][4];
  gemm::clear(d);
  for (int i = 0; i < STAGES - 1; i++) fetch(i);
  for (int number = 0; number * DEPTH < a.depth; number++) {
    copy_wait<STAGES - 2>();
    barrier();
    fetch(number + STAGES - 1);
    const float* from = panels + number % STAGES * (2 * PANEL);
#pragma unroll
    for (int k = 0; k < DEPTH; k += gemm::GROUP)
      accumulate<P>(d, from + k * STRIDE + row, from + PANEL + k * STRIDE + column, lane);
  }
#pragma unroll
  for (int j = 0; j < 2; j++)
#pragma unroll
    for (int r = 0; r < 4; r++) {
      const int m = top + row + gemm::row_of(P::tensor, lane, r);
      const int n = left + column + 8 * j + gemm::column_of(P::tensor, lane, r);
      if (m >= a.count || n >= b.count) continue;
      const float v = d[0][j][r] * scale;
      c[(long long)m * b.count + n] = bias ? v + bias[n] : v;
    }
}

} // namespace linear

#define LINEAR(name, P)                                                                        \
  KERNEL void LAUNCH_BOUNDS(128, 4)                                                            \
      name(float* c, const float* a, const float* b, const float* bias, int rows, int columns, \
           int depth, int aRow, int aStep, int bStep, int bColumn, float scale) {              \
    linear::multiply<P>(c, {a, rows, depth, aRow, aStep}, {b, columns, depth, bColumn, bStep}, \
                        bias, scale);                                                          \
  }

LINEAR(linear_fp32, gemm::Exact)
EXPORT(linear_fp32)
LINEAR(linear_tf32, gemm::Tf32)
EXPORT(linear_tf32)
LINEAR(linear_bf16, gemm::Bf16)
EXPORT(linear_bf16)
