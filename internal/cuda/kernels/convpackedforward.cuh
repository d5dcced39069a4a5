// Convolution of packed pixels by packed weights, and its gradient by data, as one
// product: rows are output channels, columns pixels, terms (channel, tap).
//
// As in convforward.cuh, whose tables and results these are, the pixels that the
// taps of a block's pixels touch, a window of the input in padded order, are in
// shared memory once for all nine taps; here GROUP channels of each, a row of 64
// bytes. A tap moves the rows that a warp reads. Sums run over groups of channels
// and, within each, over taps: one order, whatever the tile, the batch or the place
// in it.
#pragma once

namespace packed {

constexpr int GROUP = 32;              // channels of a step
constexpr int ROW = 2 * GROUP;         // bytes
constexpr int PIECES = GROUP / PIECE;  // of a row
constexpr int STAGES = 4;              // steps of weights in shared memory at once
constexpr int TURN = THREADS / PIECES; // rows that a block copies at a time

// window_buffers returns how many groups of channels are in shared memory: of a
// 3x3 kernel the one in use and the next, which comes in parts during its taps.
DEVICE constexpr int window_buffers(int taps) { return taps == 1 ? STAGES : 2; }

// The taps with which parts of the next window come. When the next group begins,
// copy_wait has seen what came up to tap 10 - STAGES.
constexpr int WINDOW_TAPS = 11 - STAGES;

// Source is what a block reads.
struct Source {
  const bfloat16* pixels;  // first image that the window touches
  const bfloat16* weights; // first row
  int depth;               // channels, with the zeros that fill their row
  int rows;                // of the weights, from the first one on
  long long tap;           // numbers of the weights of a tap
  int window;              // rows of a window
};

// Feed is a thread's part of the copies of weights: a piece of some rows, of the
// tap and the group that come next.
template <int BM> struct Feed {
  const bfloat16* next; // its piece of the first row
  int rows[BM / TURN];  // from there; past the last row is the last, whose sums are not stored
  int tap, left;        // channels that are left from the piece on
};

template <int BM> DEVICE Feed<BM> make_feed(const Source& s) {
  const int row = threadIdx.x / PIECES, first = PIECE * (threadIdx.x % PIECES);
  Feed<BM> f = {s.weights + first, {}, 0, s.depth - first};
#pragma unroll
  for (int i = 0; i < BM / TURN; i++) f.rows[i] = minimum(row + i * TURN, s.rows - 1) * s.depth;
  return f;
}

// load_weights starts the copy of a tap's weights of a group, and goes on to the
// next.
template <int BM, int TAPS>
DEVICE void load_weights(unsigned char* to, Feed<BM>& f, const Source& s) {
  to += offset_of<ROW>(threadIdx.x / PIECES, threadIdx.x % PIECES);
#pragma unroll
  for (int i = 0; i < BM / TURN; i++)
    copy_async16(to + i * TURN * ROW, f.next + (f.left > 0 ? f.rows[i] : 0), f.left > 0);
  f.next += s.tap;
  if (++f.tap < TAPS) return;
  f.tap = 0, f.left -= GROUP, f.next += GROUP - TAPS * s.tap;
}

// load_window starts the copies of rows [from, to) of the window of a group.
// offsets says for each row which pixel it is; -1: none.
DEVICE void load_window(unsigned char* window, const Source& s, const int* offsets, int channel,
                        int from, int to) {
  const int piece = threadIdx.x % PIECES;
  const bfloat16* pixels = s.pixels + channel + PIECE * piece;
  const bool inside = channel + PIECE * piece < s.depth;
  for (int row = from + threadIdx.x / PIECES; row < to; row += TURN) {
    const int offset = offsets[row];
    const bool valid = inside && offset >= 0;
    copy_async16(window + offset_of<ROW>(row, piece), pixels + (valid ? offset * s.depth : 0), valid);
  }
}

// accumulate adds one step's products to a warp's sums. weights and window are
// addresses in shared memory: of the warp's first row, and of the window, of which
// the lane names rows at[j], moved by the tap.
template <int MT, int NT>
DEVICE void accumulate(float (&d)[MT][NT][4], unsigned weights, unsigned window, int moved,
                       const int (&at)[NT / 2], int lane) {
  const int left = offset_of<ROW>(lane & 15, lane >> 4);
  int right[NT / 2];
#pragma unroll
  for (int j = 0; j < NT / 2; j++) right[j] = offset_of<ROW>(at[j] + moved, lane >> 3 & 1);
#pragma unroll
  for (int half = 0; half < GROUP / 16; half++) {
    const int turn = 32 * half; // two pieces further on
    unsigned a[MT][4], b[NT / 2][4];
#pragma unroll
    for (int i = 0; i < MT; i++) load_matrices(a[i], weights + 16 * i * ROW + (left ^ turn));
#pragma unroll
    for (int j = 0; j < NT / 2; j++) load_matrices(b[j], window + (right[j] ^ turn));
#pragma unroll
    for (int j = 0; j < NT; j++) {
      const unsigned column[2] = {b[j / 2][j % 2 * 2], b[j / 2][j % 2 * 2 + 1]};
#pragma unroll
      for (int i = 0; i < MT; i++) mma_bf16(d[i][j], a[i], column);
    }
  }
}

// convolve_tile sums a warp's tile over all steps; row is its first one.
template <int BM, int MT, int NT, int TAPS>
DEVICE void convolve_tile(float (&d)[MT][NT][4], const Source& s, unsigned char* weights,
                          unsigned char* windows, const int* offsets, const int (&at)[NT / 2],
                          int row, int pitch, int lane) {
  constexpr int buffers = window_buffers(TAPS);
  const int groups = (s.depth + GROUP - 1) / GROUP, steps = groups * TAPS, span = s.window * ROW;
  const int part = (s.window + TURN * WINDOW_TAPS - 1) / (TURN * WINDOW_TAPS) * TURN;
  Feed<BM> feed = make_feed<BM>(s);
  for (int step = 0; step < STAGES - 1; step++) {
    if (step < steps) load_weights<BM, TAPS>(weights + step * (BM * ROW), feed, s);
    if (TAPS == 1 ? step < steps : step == 0)
      load_window(windows + step * span, s, offsets, step * GROUP, 0, s.window);
    copy_commit();
  }
  for (int step = 0, group = 0, tap = 0, moved = 0; step < steps; step++) {
    copy_wait<STAGES - 2>();
    barrier();
    const int ahead = step + STAGES - 1, next = TAPS == 1 ? ahead : group + 1;
    if (ahead < steps) load_weights<BM, TAPS>(weights + ahead % STAGES * (BM * ROW), feed, s);
    const int from = TAPS == 1 ? 0 : part * tap;
    if (next < groups && from < s.window)
      load_window(windows + next % buffers * span, s, offsets, next * GROUP, from,
                  TAPS == 1 ? s.window : minimum(from + part, s.window));
    copy_commit();
    accumulate(d, shared_address(weights + step % STAGES * (BM * ROW) + row * ROW),
               shared_address(windows + group % buffers * span), moved, at, lane);
    moved += tap % 3 == 2 ? pitch - 2 : 1;
    if (++tap == TAPS) tap = 0, moved = 0, group++;
  }
}

// convolve computes a tile of BM channels and BN pixels, WM x WN by each warp.
template <int BM, int BN, int WM, int WN, int TAPS>
DEVICE void convolve(float* y, const bfloat16* x, const bfloat16* w, const float* bias,
                     const float* sample, const float* residual, int count, int depth, int width,
                     int height, int columns, int strip, int window, float scale, int pairs) {
  static_assert(BM / WM * (BN / WN) * 32 == THREADS, "four warps");
  constexpr int MT = WM / 16, NT = WN / 8;
  const conv::Images images = conv::make_images(count, height, columns, strip);
  const int tiles = (width + BM - 1) / BM, tile = blockIdx.x / tiles;
  const int top = (blockIdx.x - tile * tiles) * BM;
  const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
  const int row = warp / (BN / WN) * WM, column = warp % (BN / WN) * WN;

  unsigned char* weights = shared_memory<unsigned char>();
  unsigned char* windows = weights + STAGES * BM * ROW;
  int* source = reinterpret_cast<int*>(windows + window_buffers(TAPS) * window * ROW);
  const conv::Tables tables = {source, source + window, source + window + BN,
                               source + window + 2 * BN};
  conv::fill_tables<BN, TAPS>(tables, images, tile * BN, window, 1, width);
  barrier();

  const int image = tables.owner[0], size = conv::pixels(images);
  const Source from = {x + (long long)image * size * depth, w + (long long)top * depth, depth,
                       width - top, (long long)width * depth, window};
  int at[NT / 2];
#pragma unroll
  for (int j = 0; j < NT / 2; j++)
    at[j] = tables.position[column + 16 * j + (lane & 7) + (lane >> 4) * 8];
  float d[MT][NT][4];
  gemm::clear(d);
  convolve_tile<BM, MT, NT, TAPS>(d, from, weights, windows, source, at, row, conv::pitch(images),
                                  lane);

  const long long base = (long long)image * width * size;
  const conv::Target to = {y + base, residual ? residual + base : nullptr, bias, sample, width,
                           size, scale};
  if (pairs) {
    conv::store<gemm::Bf16, true>(to, d, tables.target, tables.owner, top + row, column, lane);
  } else {
    conv::store<gemm::Bf16, false>(to, d, tables.target, tables.owner, top + row, column, lane);
  }
}

} // namespace packed
