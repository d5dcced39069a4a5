// What the products of convolutions and of linear.cu share: how each precision multiplies
// a warp's tile. It comes after prelude.cuh.
//
// A warp's tile is cut into subtiles of 16 rows and 8 columns, of each of which a
// lane holds four sums, and a product advances by groups of 16 terms. Within a
// group a lane owns four terms, the same for its rows and its columns; the matrix
// instructions add over all terms, so which ones they are is free, and is chosen
// such that reads of shared memory meet no bank twice.
#pragma once

namespace gemm {

constexpr int GROUP = 16;   // terms that a product advances by
constexpr int THREADS = 128; // of a block: four warps
constexpr int PACKED = 256; // words of 16 rows over a group as pack_word lays them out

// FourFloats and FourWords are loaded and stored by one instruction.
struct alignas(16) FourFloats {
  float v[4];
};
struct alignas(16) FourWords {
  unsigned v[4];
};
struct alignas(8) TwoFloats {
  float v[2];
};

// The precisions. Left is a lane's part of a subtile's 16 rows over a group, Right
// that of its 8 columns.
struct Exact {
  static constexpr bool tensor = false;
};
struct Tf32 {
  static constexpr bool tensor = true;
  struct Left {
    unsigned r[2][4];
  };
  struct Right {
    unsigned r[2][2];
  };
};
struct Bf16 {
  static constexpr bool tensor = true;
  struct Left {
    unsigned r[1][4];
  };
  struct Right {
    unsigned r[1][2];
  };
};

// row_of and column_of return which element of a subtile a lane's sum r is.
DEVICE int row_of(bool tensor, int lane, int r) {
  return tensor ? (lane >> 2) + 8 * (r >> 1) : 4 * (lane >> 3) + r;
}
DEVICE int column_of(bool tensor, int lane, int r) {
  return tensor ? 2 * (lane & 3) + (r & 1) : lane & 7;
}

// round_left makes a lane's part of 16 rows of its four terms in row lane/4 and in
// the row 8 below.
DEVICE void round_left(Tf32::Left& f, const float (&top)[4], const float (&low)[4]) {
#pragma unroll
  for (int h = 0; h < 2; h++) {
    f.r[h][0] = to_tf32(top[2 * h]);
    f.r[h][1] = to_tf32(low[2 * h]);
    f.r[h][2] = to_tf32(top[2 * h + 1]);
    f.r[h][3] = to_tf32(low[2 * h + 1]);
  }
}
DEVICE void round_left(Bf16::Left& f, const float (&top)[4], const float (&low)[4]) {
#pragma unroll
  for (int h = 0; h < 2; h++) {
    f.r[0][2 * h] = pack_bf16(top[2 * h], top[2 * h + 1]);
    f.r[0][2 * h + 1] = pack_bf16(low[2 * h], low[2 * h + 1]);
  }
}

// round_right makes a lane's part of 8 columns of its four terms in column lane/4.
DEVICE void round_right(Tf32::Right& f, const float (&v)[4]) {
#pragma unroll
  for (int h = 0; h < 2; h++) {
    f.r[h][0] = to_tf32(v[2 * h]);
    f.r[h][1] = to_tf32(v[2 * h + 1]);
  }
}
DEVICE void round_right(Bf16::Right& f, const float (&v)[4]) {
  f.r[0][0] = pack_bf16(v[0], v[1]);
  f.r[0][1] = pack_bf16(v[2], v[3]);
}

// multiply adds the products of one group to a subtile's sums.
DEVICE void multiply(float (&d)[4], const Tf32::Left& a, const Tf32::Right& b) {
  mma_tf32(d, a.r[0], b.r[0]);
  mma_tf32(d, a.r[1], b.r[1]);
}
DEVICE void multiply(float (&d)[4], const Bf16::Left& a, const Bf16::Right& b) {
  mma_bf16(d, a.r[0], b.r[0]);
}

// multiply_column adds one term to the sums of a column of subtiles: a holds a
// lane's four rows of each.
template <int MT, int NT>
DEVICE void multiply_column(float (&d)[MT][NT][4], int j, const FourFloats (&a)[MT], float b) {
#pragma unroll
  for (int i = 0; i < MT; i++)
#pragma unroll
    for (int r = 0; r < 4; r++) d[i][j][r] = fused(a[i].v[r], b, d[i][j][r]);
}

template <int MT, int NT> DEVICE void clear(float (&d)[MT][NT][4]) {
#pragma unroll
  for (int i = 0; i < MT; i++)
#pragma unroll
    for (int j = 0; j < NT; j++)
#pragma unroll
      for (int r = 0; r < 4; r++) d[i][j][r] = 0.0f;
}

// ---- packed rows: 16 rows over a group, rounded, in the order in which lanes
// read them. Of term k, lane l owns k = l%4 + 4j for j = 0 to 3.

// pack_word returns word number i of a packed block; at(row, k) is element k of
// a row.
template <class At> DEVICE unsigned pack_word(Exact, int i, const At& at) {
  return __builtin_bit_cast(unsigned, at(i % 16, i / 16));
}
template <class At> DEVICE unsigned pack_word(Tf32, int i, const At& at) {
  const int half = i / 128, lane = i / 4 % 32, r = i % 4;
  return to_tf32(at(lane / 4 + 8 * (r & 1), lane % 4 + 4 * (2 * half + r / 2)));
}

// load_left reads a lane's part of a packed block.
DEVICE void load_left(Tf32::Left& f, const unsigned* block, int lane) {
#pragma unroll
  for (int h = 0; h < 2; h++) {
    const FourWords w = *reinterpret_cast<const FourWords*>(block + 128 * h + 4 * lane);
#pragma unroll
    for (int r = 0; r < 4; r++) f.r[h][r] = w.v[r];
  }
}

// load_rows reads a lane's four rows of term k of a packed block of Exact.
DEVICE FourFloats load_rows(const unsigned* block, int k, int lane) {
  const FourWords w = *reinterpret_cast<const FourWords*>(block + 16 * k + 4 * (lane >> 3));
  return __builtin_bit_cast(FourFloats, w);
}

} // namespace gemm
