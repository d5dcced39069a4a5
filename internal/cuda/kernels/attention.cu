// Self-attention over the pixels of an image, forward and backward, without a
// matrix of all logits in memory (FlashAttention: Dao et al. 2022, with the
// log-sum-exp as an operation of its own).
//
// An item is one head of one image. qkv is [items][channels][3][pixels], the
// output and its gradient are [items][channels][pixels], the log-sum-exp is
// [items][pixels]. So q, k, v and the others are matrices of an item whose rows
// are channels and whose columns, pixels, lie side by side.
//
// A block owns TILE pixels of an item, its rows, and goes over all pixels of the
// item TILE at a time, the columns. For a tile of columns it sums a matrix
// [row][column], the logits, over slices of SLICE channels of rows and columns;
// it makes weights of them; and adds the weights times panels of TILE channels of
// the columns to sums [row][channel] in registers:
//
//   operation        rows    columns   adds to its sums
//   log-sum-exp      q       k         -
//   output           q       k, v      P v
//   gradient by v    k       q, g      P' g
//   gradient by q    q, g    k, v      dS k
//   gradient by k    k, v    q, g      dS' q
//
//   S = q'k / sqrt(channels)   P = exp(S - lse)   dS = P (g'v - g'out) / sqrt(channels)
//
// The gradients are three kernels, for sums of two do not fit into the registers.
//
// Slices and panels come through a ring of stages in shared memory. Pixels and
// channels that do not exist are zeros there, and their weights are zero. More
// channels than a block has sums for are divided among blocks, each of which
// computes the weights anew. Every sum has one order, whatever the number of
// items. Logits, weights and sums are float32 in every precision.
#include "prelude.cuh"

#include "attention.cuh"

namespace attention {

// multiply sets d to the sum over all channels of rows times columns.
template <class P, class O> DEVICE void multiply(Stream& s, Tile& d, const Lane& l) {
  d = Tile();
#pragma unroll 1
  for (int i = 0; i < s.slices; i++) {
    const float* stage = next<P, O>(s);
    add_slices(P(), d, stage, stage + SLICE * P::stride, l);
  }
}

// accumulate adds the stored weights times the panels to sums. Sums are in
// registers, which have no index.
template <class P, class O>
DEVICE void accumulate(Stream& s, Tile (&sums)[PANELS], const float* weights, const Lane& l) {
#pragma unroll 1
  for (int i = 0; i < s.panels; i++) {
    const float* stage = next<P, O>(s);
#pragma unroll
    for (int p = 0; p < PANELS; p++)
      if (p == i) add_panel(P(), sums[p], weights, stage, l);
  }
}

// place returns where elements (m, n, r) and (m, n, r+1) of the weights are, r even.
template <class P> DEVICE Pair* place(float* weights, int m, int n, int r, const Lane& l) {
  float* first = weights + row(l, 0, 0) * P::stride + column(l, 0, 0);
  return reinterpret_cast<Pair*>(first + (16 * m + 4 * r) * P::stride + 8 * n);
}

// store writes weights where accumulate reads them.
template <class P> DEVICE void store(float* weights, const Tile& w, const Lane& l) {
#pragma unroll
  for (int i = 0; i < 8; i++) {
    const int m = i >> 2, n = i >> 1 & 1, r = 2 * (i & 1);
    *place<P>(weights, m, n, r, l) = {w.at[m][n][r], w.at[m][n][r + 1]};
  }
}

// keep copies the log-sum-exp and delta of the queries of a tile that begins at
// first to numbers [2][TILE], 0 beyond the last pixel.
template <bool SECOND>
DEVICE void keep(float* numbers, const float* lse, const float* delta, int first, int pixels) {
  const int thread = threadIdx.x, i = first + thread % TILE;
  if (thread >= (SECOND ? 2 : 1) * TILE) return;
  const float* from = thread < TILE ? lse : delta;
  numbers[thread] = i < pixels ? from[i] : 0.0f;
}

// number returns what is kept for the query of element (m, n, r).
template <bool ROWS> DEVICE float number(const float* numbers, int m, int n, int r, const Lane& l) {
  const float* first = numbers + (ROWS ? row(l, 0, 0) : column(l, 0, 0));
  return first[ROWS ? 16 * m + 4 * (r & 2) : 8 * n + (r & 1)];
}

// weigh makes weights of sums of products; left is how many columns there are.
template <bool ROWS>
DEVICE void weigh(Tile& w, const float* lse, float scale, int left, const Lane& l) {
  left -= column(l, 0, 0);
#pragma unroll
  for (int i = 0; i < 16; i++) {
    const int m = i >> 3, n = i >> 2 & 1, r = i & 3;
    const float e = fast_exp(w.at[m][n][r] * scale - number<ROWS>(lse, m, n, r, l));
    w.at[m][n][r] = 8 * n + (r & 1) < left ? e : 0.0f;
  }
}

// slope makes d, the gradient by the stored weights, that by the logits. A thread
// reads the weights that it stored.
template <class P, bool ROWS>
DEVICE void slope(Tile& d, float* weights, const float* delta, float scale, const Lane& l) {
#pragma unroll
  for (int i = 0; i < 8; i++) {
    const int m = i >> 2, n = i >> 1 & 1, r = 2 * (i & 1);
    const Pair w = *place<P>(weights, m, n, r, l);
    d.at[m][n][r] = w.x * (d.at[m][n][r] - number<ROWS>(delta, m, n, r, l)) * scale;
    d.at[m][n][r + 1] = w.y * (d.at[m][n][r + 1] - number<ROWS>(delta, m, n, r + 1, l)) * scale;
  }
}

// write writes the block's sums to a matrix [channels][pixels], rows step apart.
DEVICE void write(float* to, int step, const Tile (&sums)[PANELS], const Stream& s, const Lane& l) {
  const int first = s.panel * TILE + column(l, 0, 0), pixel = s.row + row(l, 0, 0);
  to += (long long)first * step + pixel;
#pragma unroll
  for (int i = 0; i < 4 * PANELS; i++) { // channels
    const int n = i >> 1 & 1, e = i & 1, c = (i >> 2) * TILE + 8 * n + e;
    if (first + c >= s.channels) continue;
    float* at = to + (long long)c * step;
#pragma unroll
    for (int j = 0; j < 4; j++) // pixels
      if (pixel + 8 * j < s.pixels) at[8 * j] = sums[i >> 2].at[j >> 1][n][2 * (j & 1) + e];
  }
}

// ---- operations

// Partial is a sum of exponentials: sum * e^top. LOWEST stands below any logit.
struct Partial {
  float top, sum;
};
constexpr float LOWEST = -3.0e38f;

DEVICE Partial join(Partial a, Partial b) {
  const float top = maximum(a.top, b.top);
  return {top, a.sum * fast_exp(a.top - top) + b.sum * fast_exp(b.top - top)};
}

// add_logits adds a thread's 4 logits of each of its 4 rows to partial sums. What
// stands for columns that there are not counts for nothing beside any logit.
DEVICE void add_logits(Partial (&p)[4], const Tile& w, float scale, int left, const Lane& l) {
#pragma unroll
  for (int i = 0; i < 4; i++) {
    float v[4], top = p[i].top;
#pragma unroll
    for (int j = 0; j < 4; j++) {
      const bool valid = column(l, j >> 1, j & 1) < left;
      v[j] = valid ? w.at[i >> 1][j >> 1][2 * (i & 1) + (j & 1)] * scale : LOWEST;
      top = maximum(top, v[j]);
    }
    float sum = p[i].sum * fast_exp(p[i].top - top);
#pragma unroll
    for (int j = 0; j < 4; j++) sum += fast_exp(v[j] - top);
    p[i] = {top, sum};
  }
}

// join_rows joins the partial sums of the 4 lanes and 4 warps that share a row
// and writes the log-sum-exp of those left; memory holds [4][TILE].
DEVICE void join_rows(float* lse, Partial* memory, const Partial (&p)[4], int left, const Lane& l) {
#pragma unroll
  for (int i = 0; i < 4; i++) {
    Partial sum = p[i];
#pragma unroll
    for (int mask = 1; mask <= 2; mask *= 2)
      sum = join(sum, {shuffle_xor(sum.top, mask), shuffle_xor(sum.sum, mask)});
    if (l.part == 0) memory[l.left / 16 * TILE + row(l, i >> 1, 2 * (i & 1))] = sum;
  }
  barrier();
  const int i = threadIdx.x;
  if (i >= minimum(TILE, left)) return;
  Partial sum = memory[i];
  for (int warp = 1; warp < 4; warp++) sum = join(sum, memory[warp * TILE + i]);
  lse[i] = sum.top + fast_log(sum.sum);
}

template <class P>
DEVICE void log_sum_exp(const float* qkv, float* lse, int channels, int pixels, float scale, int wide) {
  using O = Operation<true, false, V>; // without panels
  const Lane l = this_lane();
  const int tiles = (pixels + TILE - 1) / TILE;
  const Block b = {blockIdx.x / tiles, (int)(blockIdx.x % tiles) * TILE, 0, 0};
  Stream s = open(b, qkv, nullptr, channels, pixels, wide);
  Partial p[4] = {{LOWEST, 0.0f}, {LOWEST, 0.0f}, {LOWEST, 0.0f}, {LOWEST, 0.0f}};
  start<P, O>(s);
#pragma unroll 1
  for (int column = 0; column < pixels; column += TILE) {
    Tile w;
    multiply<P, O>(s, w, l);
    add_logits(p, w, scale, pixels - column, l);
  }
  Partial* memory = reinterpret_cast<Partial*>(behind<P>());
  join_rows(lse + b.item * pixels + b.row, memory, p, pixels - b.row, l);
}

// weigh_panels adds, over all columns, weights times panels to a block's sums and
// writes these to the item's matrix `to` of rows step apart. The weights are P, or
// with a second pair of rows and columns dS. lse and delta hold a number of every
// query of the item.
template <class P, class O>
DEVICE void weigh_panels(float* to, int step, Stream& s, const float* lse, const float* delta, float scale) {
  float* weights = behind<P>();
  float* numbers = weights + TILE * P::stride;
  const Lane l = this_lane();
  Tile sums[PANELS] = {};
  start<P, O>(s);
#pragma unroll 1
  for (int column = 0; column < s.pixels; column += TILE) {
    Tile d;
    keep<O::second>(numbers, lse, delta, O::queries ? s.row : column, s.pixels);
    multiply<P, O>(s, d, l);
    weigh<O::queries>(d, numbers, scale, s.pixels - column, l);
    store<P>(weights, d, l);
    if (O::second) {
      multiply<P, O>(s, d, l);
      slope<P, O::queries>(d, weights, numbers + TILE, scale, l);
      store<P>(weights, d, l);
    }
    accumulate<P, O>(s, sums, weights, l);
  }
  write(to, step, sums, s, l);
}

template <class P>
DEVICE void output(const float* qkv, const float* lse, float* out, int channels, int pixels, float scale,
                   int wide) {
  using O = Operation<true, false, V>;
  const Block b = this_block(channels, pixels);
  Stream s = open(b, qkv, nullptr, channels, pixels, wide);
  float* to = out + b.item * channels * pixels;
  weigh_panels<P, O>(to, pixels, s, lse + b.item * pixels, nullptr, scale);
}

// gradient writes the part of dqkv that is PART's.
template <class P, Part PART>
DEVICE void gradient(const float* g, const float* qkv, const float* lse, const float* delta, float* dqkv,
                     int channels, int pixels, float scale, int wide) {
  using O = Operation<PART == Q, PART != V, PART == Q ? K : PART == K ? Q : G>;
  const Block b = this_block(channels, pixels);
  Stream s = open(b, qkv, g, channels, pixels, wide);
  float* to = dqkv + (b.item * channels * 3 + PART) * pixels;
  const long long first = b.item * pixels;
  weigh_panels<P, O>(to, 3 * pixels, s, lse + first, delta + first, scale);
}

} // namespace attention

using namespace attention;

// attention_delta writes g'out of every query, [items][pixels]. A block takes 32
// pixels; its 8 warps take every eighth channel.
KERNEL void LAUNCH_BOUNDS(256, 4)
    attention_delta(const float* g, const float* out, float* delta, int channels, int pixels) {
  float* sums = shared_memory<float>();
  const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, tiles = (pixels + 31) / 32;
  const int pixel = blockIdx.x % tiles * 32 + lane;
  const long long item = blockIdx.x / tiles;
  float sum = 0.0f;
  for (int c = warp; c < channels && pixel < pixels; c += 8) {
    const long long i = (item * channels + c) * pixels + pixel;
    sum = fused(g[i], out[i], sum);
  }
  sums[warp * 32 + lane] = sum;
  barrier();
  if (warp > 0 || pixel >= pixels) return;
  for (int i = 1; i < 8; i++) sum += sums[i * 32 + lane];
  delta[item * pixels + pixel] = sum;
}
EXPORT(attention_delta)

#define LOG_SUM_EXP(name, P)                                                                   \
  KERNEL void LAUNCH_BOUNDS(256, 2)                                                            \
      name(const float* qkv, float* lse, int channels, int pixels, float scale, int wide) {    \
    log_sum_exp<P>(qkv, lse, channels, pixels, scale, wide);                                   \
  }                                                                                            \
  EXPORT(name)

#define OUTPUT(name, P)                                                                        \
  KERNEL void LAUNCH_BOUNDS(256, 2)                                                            \
      name(const float* qkv, const float* lse, float* out, int channels, int pixels,           \
           float scale, int wide) {                                                            \
    output<P>(qkv, lse, out, channels, pixels, scale, wide);                                   \
  }                                                                                            \
  EXPORT(name)

#define GRADIENT(name, P, PART)                                                                \
  KERNEL void LAUNCH_BOUNDS(256, 2)                                                            \
      name(const float* g, const float* qkv, const float* lse, const float* delta,             \
           float* dqkv, int channels, int pixels, float scale, int wide) {                     \
    gradient<P, PART>(g, qkv, lse, delta, dqkv, channels, pixels, scale, wide);                \
  }                                                                                            \
  EXPORT(name)

LOG_SUM_EXP(attention_lse_fp32, Exact)
LOG_SUM_EXP(attention_lse_tf32, Tf32)
LOG_SUM_EXP(attention_lse_bf16, Bf16)

OUTPUT(attention_output_fp32, Exact)
OUTPUT(attention_output_tf32, Tf32)
OUTPUT(attention_output_bf16, Bf16)

GRADIENT(attention_value_gradient_fp32, Exact, V)
GRADIENT(attention_value_gradient_tf32, Tf32, V)
GRADIENT(attention_value_gradient_bf16, Bf16, V)

GRADIENT(attention_query_gradient_fp32, Exact, Q)
GRADIENT(attention_query_gradient_tf32, Tf32, Q)
GRADIENT(attention_query_gradient_bf16, Bf16, Q)

GRADIENT(attention_key_gradient_fp32, Exact, K)
GRADIENT(attention_key_gradient_tf32, Tf32, K)
GRADIENT(attention_key_gradient_bf16, Bf16, K)
