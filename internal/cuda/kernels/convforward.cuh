// Convolution, and its gradient by data, as one product: rows are output
// channels, columns pixels, terms (channel, tap). conv.cu says more.
//
// A block's weights come packed (pack_weights), a step at a time: a group of 16
// channels and one tap. The pixels that a group's taps touch, a window of the
// input in padded order, are in shared memory once for all nine taps. Sums run
// over groups of channels and, within each, over taps: one order, whatever the
// tile, the batch or the place in it.
#pragma once

namespace conv {

using gemm::GROUP;
using gemm::THREADS;

constexpr int STAGES = 4; // steps of weights in shared memory at once

// window_buffers returns how many groups of channels are in shared memory: of a
// 3x3 kernel the one in use and the next, which comes in parts during its taps.
DEVICE constexpr int window_buffers(int taps) { return taps == 1 ? STAGES : 2; }

// PART channels of the next window come with each tap. When the next group
// begins, copy_wait has seen those that came up to tap 10 - STAGES.
constexpr int PART = 3;
static_assert(PART * (11 - STAGES) >= GROUP, "a window comes whole");

// pack_weights writes the weights w of `rows` output and `depth` input channels
// in the order in which `convolve` reads them: step, 16 rows, word. Rows and
// channels past the last are zeros. With reverse, w is [depth][rows] and its taps
// are mirrored, for the gradient by data.
template <class P>
DEVICE void pack_weights(unsigned* packed, const float* w, int rows, int depth, int taps,
                         int blocks, int reverse, int words) {
  const int e = blockIdx.x * THREADS + threadIdx.x;
  if (e >= words) return;
  const int block = e / gemm::PACKED, word = e - block * gemm::PACKED;
  const int step = block / blocks, top = (block - step * blocks) * 16;
  const int group = step / taps, tap = step - group * taps;
  packed[e] = gemm::pack_word(P{}, word, [&](int row, int k) {
    const int m = top + row, c = group * GROUP + k;
    if (m >= rows || c >= depth) return 0.0f;
    const long long at = reverse ? ((long long)c * rows + m) * taps + (taps - 1 - tap)
                                 : ((long long)m * depth + c) * taps + tap;
    return w[at];
  });
}

// Source is what a block reads.
struct Source {
  const float* x;         // channel 0 of the first image that the window touches
  const unsigned* packed; // first step of the block's rows
  int depth, size;        // channels, pixels of a plane
  int rows;               // rows of packed weights over all blocks, in 16s
  int window, plane;      // elements of a window's channel, and what it takes
  bool quads;             // x may be read 16 bytes at a time
};

// load_weights starts the copy of the weights of one step.
template <class P, int BM>
DEVICE void load_weights(unsigned* to, const Source& s, int step) {
  constexpr int words = BM / 16 * gemm::PACKED;
  const unsigned* from = s.packed + (long long)step * s.rows * gemm::PACKED;
  for (int i = 4 * threadIdx.x; i < words; i += 4 * THREADS) copy_async16(to + i, from + i, true);
}

// load_window starts the copies of channels [from, to) of a group. offsets says
// for each element of a window where it lies, from channel 0 on; -1: nowhere.
DEVICE void load_window(float* window, const Source& s, const int* offsets, int group, int from,
                        int to) {
  const int step = s.quads ? 4 : 1;
  for (int i = threadIdx.x * step; i < s.window; i += THREADS * step) {
    const int offset = offsets[i];
    for (int c = from; c < to; c++) {
      const int channel = group * GROUP + c;
      const bool valid = offset >= 0 && channel < s.depth;
      const float* src = s.x + (valid ? (long long)channel * s.size + offset : 0);
      float* dst = window + c * s.plane + i;
      if (s.quads) {
        copy_async16(dst, src, valid);
      } else {
        copy_async4(dst, src, valid);
      }
    }
  }
}

// accumulate adds one step's products to a warp's sums. window is that of the
// group, moved by the tap; a warp's subtile j reads it from at[j] on.
template <class P, int MT, int NT>
DEVICE void accumulate(float (&d)[MT][NT][4], const unsigned* weights, const float* window,
                       const int (&at)[NT], int plane, int lane) {
  if constexpr (P::tensor) {
    typename P::Left left[MT];
#pragma unroll
    for (int i = 0; i < MT; i++) gemm::load_left(left[i], weights + i * gemm::PACKED, lane);
    const float* mine = window + (lane & 3) * plane;
#pragma unroll
    for (int j = 0; j < NT; j++) {
      const float* p = mine + at[j];
      const float terms[4] = {p[0], p[4 * plane], p[8 * plane], p[12 * plane]};
      typename P::Right right;
      gemm::round_right(right, terms);
#pragma unroll
      for (int i = 0; i < MT; i++) gemm::multiply(d[i][j], left[i], right);
    }
  } else {
#pragma unroll 4
    for (int k = 0; k < GROUP; k++) {
      gemm::FourFloats rows[MT];
#pragma unroll
      for (int i = 0; i < MT; i++) rows[i] = gemm::load_rows(weights + i * gemm::PACKED, k, lane);
#pragma unroll
      for (int j = 0; j < NT; j++)
        gemm::multiply_column(d, j, rows, window[at[j] + k * plane]);
    }
  }
}

// Target is where a block's results go: y = (sum + bias + sample + residual) *
// scale. Absent terms are null.
struct Target {
  float* y;              // channel 0 of the first image
  const float* residual; // likewise
  const float *bias, *sample;
  int width, size; // channels, pixels of a plane
  float scale;
};

// Terms are what is added to the sums of one row in a lane's columns.
template <int NT, int RUN> struct Terms {
  float bias[NT][RUN], residual[NT][RUN];
};

// load_terms reads them, all before the first result is written: the two may
// alias as far as the compiler knows. Pixels outside have the first one's. place is
// the lane's first column.
template <bool joined, int NT, int RUN>
DEVICE void load_terms(Terms<NT, RUN>& e, const Target& t, const int* offsets, const int* owners,
                       int m, int place) {
  const float bias = t.bias ? t.bias[m] : 0.0f;
  const float* residual = t.residual + (long long)m * t.size;
#pragma unroll
  for (int j = 0; j < NT; j++)
#pragma unroll
    for (int c = 0; c < RUN; c++) e.bias[j][c] = bias, e.residual[j][c] = 0.0f;
  if (t.sample) {
#pragma unroll
    for (int j = 0; j < NT; j++)
#pragma unroll
      for (int c = 0; c < RUN; c++)
        e.bias[j][c] += t.sample[(long long)owners[place + 8 * j + c] * t.width + m];
  }
  if (!t.residual) return;
#pragma unroll
  for (int j = 0; j < NT; j++) {
    if constexpr (joined) {
      const int offset = maximum(offsets[place + 8 * j], 0);
      const auto two = *reinterpret_cast<const gemm::TwoFloats*>(residual + offset);
      e.residual[j][0] = two.v[0];
      e.residual[j][1] = two.v[1];
    } else {
#pragma unroll
      for (int c = 0; c < RUN; c++) e.residual[j][c] = residual[maximum(offsets[place + 8 * j + c], 0)];
    }
  }
}

// store writes a warp's results, whose first row and column are given. offsets
// says for each of the block's pixels where it lies from t.y on, owners its image.
// If joined, a lane's two neighbouring columns are moved by one access.
template <class P, bool joined, int MT, int NT>
DEVICE void store(const Target& t, const float (&d)[MT][NT][4], const int* offsets,
                  const int* owners, int top, int left, int lane) {
  constexpr int RUN = P::tensor ? 2 : 1; // neighbouring columns of a lane
  const int place = left + gemm::column_of(P::tensor, lane, 0);
#pragma unroll
  for (int i = 0; i < MT; i++) {
#pragma unroll
    for (int r = 0; r < 4; r += RUN) {
      const int m = top + 16 * i + gemm::row_of(P::tensor, lane, r);
      if (m >= t.width) continue;
      Terms<NT, RUN> e;
      load_terms<joined>(e, t, offsets, owners, m, place);
      float* y = t.y + (long long)m * t.size;
#pragma unroll
      for (int j = 0; j < NT; j++) {
        float v[RUN];
#pragma unroll
        for (int c = 0; c < RUN; c++) {
          const int offset = offsets[place + 8 * j + c];
          v[c] = (d[i][j][r + c] + e.bias[j][c] + e.residual[j][c]) * t.scale;
          if (!joined && offset >= 0) y[offset] = v[c];
        }
        if constexpr (joined) {
          const int offset = offsets[place + 8 * j];
          if (offset >= 0) *reinterpret_cast<gemm::TwoFloats*>(y + offset) = {{v[0], v[1]}};
        }
      }
    }
  }
}

// Tables are what a block knows of its pixels, in shared memory.
struct Tables {
  int* source;   // [window] offset in x, -1 outside
  int* target;   // [BN] offset in y, -1 outside
  int* owner;    // [BN] image, the first one outside
  int* position; // [BN] in the window
};

// fill_tables writes the tables of the BN pixels from number p on.
template <int BN, int TAPS>
DEVICE void fill_tables(const Tables& t, const Images& s, int p, int window, int depth, int width) {
  const Pixel first = pixel(s, p);
  const int size = pixels(s);
  for (int i = threadIdx.x; i < window; i += THREADS) {
    const Pixel at = TAPS == 1 ? pixel(s, p + i)
                               : padded_pixel(s, first.padded - pitch(s) - 1 + i);
    t.source[i] = at.inside < 0 ? -1 : (at.image - first.image) * depth * size + at.inside;
  }
  for (int i = threadIdx.x; i < BN; i += THREADS) {
    const Pixel at = pixel(s, p + i);
    t.target[i] = at.inside < 0 ? -1 : (at.image - first.image) * width * size + at.inside;
    t.owner[i] = at.inside < 0 ? first.image : at.image;
    t.position[i] = TAPS == 1 ? i : at.padded - first.padded;
  }
}

// convolve_tile sums a warp's tile over all steps.
template <class P, int BM, int MT, int NT, int TAPS>
DEVICE void convolve_tile(float (&d)[MT][NT][4], const Source& s, unsigned* weights, float* windows,
                          const int* offsets, const int (&at)[NT], int row, int pitch, int lane) {
  constexpr int words = BM / 16 * gemm::PACKED, buffers = window_buffers(TAPS);
  const int groups = (s.depth + GROUP - 1) / GROUP, steps = groups * TAPS;
  const int span = GROUP * s.plane;
  for (int step = 0; step < STAGES - 1; step++) {
    if (step < steps) load_weights<P, BM>(weights + step * words, s, step);
    if (TAPS == 1 ? step < steps : step == 0)
      load_window(windows + step * span, s, offsets, step, 0, GROUP);
    copy_commit();
  }
  for (int step = 0, group = 0, tap = 0; step < steps; step++) {
    copy_wait<STAGES - 2>();
    barrier();
    const int ahead = step + STAGES - 1, next = TAPS == 1 ? ahead : group + 1;
    if (ahead < steps) load_weights<P, BM>(weights + ahead % STAGES * words, s, ahead);
    const int from = TAPS == 1 ? 0 : PART * tap;
    if (next < groups && from < GROUP)
      load_window(windows + next % buffers * span, s, offsets, next, from,
                  TAPS == 1 ? GROUP : minimum(from + PART, GROUP));
    copy_commit();
    const float* window = windows + group % buffers * span;
    accumulate<P>(d, weights + step % STAGES * words + row / 16 * gemm::PACKED,
                  window + (TAPS == 1 ? 0 : tap / 3 * pitch + tap % 3), at, s.plane, lane);
    if (++tap == TAPS) tap = 0, group++;
  }
}

// convolve computes a tile of BM channels and BN pixels, WM x WN by each warp.
template <class P, int BM, int BN, int WM, int WN, int TAPS>
DEVICE void convolve(float* y, const float* x, const float* packed, const float* bias,
                     const float* sample, const float* residual, int count, int depth, int width,
                     int height, int columns, int strip, int window, int plane, float scale,
                     int quads, int pairs) {
  static_assert(BM / WM * (BN / WN) * 32 == THREADS, "four warps");
  constexpr int MT = WM / 16, NT = WN / 8;
  const Images images = make_images(count, height, columns, strip);
  const int tiles = (width + BM - 1) / BM, tile = blockIdx.x / tiles;
  const int top = (blockIdx.x - tile * tiles) * BM;
  const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
  const int row = warp / (BN / WN) * WM, column = warp % (BN / WN) * WN;

  unsigned* weights = shared_memory<unsigned>();
  float* windows = reinterpret_cast<float*>(weights + STAGES * (BM / 16) * gemm::PACKED);
  int* source = reinterpret_cast<int*>(windows + window_buffers(TAPS) * GROUP * plane);
  const Tables tables = {source, source + window, source + window + BN, source + window + 2 * BN};
  fill_tables<BN, TAPS>(tables, images, tile * BN, window, depth, width);
  barrier();

  const int image = tables.owner[0], size = pixels(images);
  const Source from = {x + (long long)image * depth * size,
                       reinterpret_cast<const unsigned*>(packed) + (long long)(top / 16) * gemm::PACKED,
                       depth, size, tiles * (BM / 16), window, plane, quads != 0};
  int at[NT];
#pragma unroll
  for (int j = 0; j < NT; j++)
    at[j] = tables.position[column + 8 * j + (P::tensor ? lane >> 2 : lane & 7)];
  float d[MT][NT][4];
  gemm::clear(d);
  convolve_tile<P, BM, MT, NT, TAPS>(d, from, weights, windows, source, at, row, pitch(images), lane);

  const long long base = (long long)image * width * size;
  const Target to = {y + base, residual ? residual + base : nullptr, bias, sample, width, size,
                     scale};
  if (P::tensor && pairs) {
    store<P, P::tensor>(to, d, tables.target, tables.owner, top + row, column, lane);
  } else {
    store<P, false>(to, d, tables.target, tables.owner, top + row, column, lane);
  }
}

} // namespace conv
