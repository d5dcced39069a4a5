// What the kernels of attention.cu are made of: a thread's part of a tile, the
// products of tiles in each precision, and the way of tiles into shared memory.
// attention.cu says what rows, columns, slices and panels are.
#pragma once

namespace attention {

constexpr int THREADS = 256; // 2 warps along the rows of a tile, 4 along its columns
constexpr int TILE = 64;
constexpr int SLICE = 32;
constexpr int PANELS = 4; // that a block has sums for
constexpr int STAGES = 3;

// The precisions. stride is the distance of two rows in shared memory, chosen
// such that the lanes of a warp read from different banks.
struct Exact {
  static constexpr int stride = TILE + 4;
};
struct Tf32 {
  static constexpr int stride = TILE + 8;
};
struct Bf16 {
  static constexpr int stride = TILE + 8;
};

// Tile is a thread's part of a matrix [TILE][TILE]. Element (m, n, r) is that of
// row(m, r) and column(n, r): the layout of the results of matrix instructions.
struct Tile {
  float at[2][2][4];
};

// Lane says where a thread's elements lie.
struct Lane {
  int group, part; // of the warp: 8 groups of 4 lanes
  int top, left;   // of the warp's 32 rows and 16 columns
};

DEVICE Lane this_lane() {
  const int thread = threadIdx.x, warp = thread >> 5;
  return {(thread & 31) >> 2, thread & 3, (warp >> 2) * 32, (warp & 3) * 16};
}

DEVICE int row(const Lane& l, int m, int r) { return l.top + 16 * m + 8 * (r >> 1) + l.group; }
DEVICE int column(const Lane& l, int n, int r) { return l.left + 8 * n + 2 * l.part + (r & 1); }

// Pair is loaded and stored by one instruction.
struct alignas(8) Pair {
  float x, y;
};
DEVICE Pair pair(const float* p) { return *reinterpret_cast<const Pair*>(p); }

// ---- products of tiles: add_slices adds the sum over SLICE channels c of
// a[c][row] b[c][column], add_panel that over TILE pixels j of
// a[row][j] b[column][j].

DEVICE void add_slices(Exact, Tile& d, const float* a, const float* b, const Lane& l) {
  a += row(l, 0, 0);
  b += column(l, 0, 0);
#pragma unroll 4
  for (int k = 0; k < SLICE; k++) {
    Pair y[2];
#pragma unroll
    for (int n = 0; n < 2; n++) y[n] = pair(b + k * Exact::stride + 8 * n);
#pragma unroll
    for (int i = 0; i < 4; i++) { // rows
      const float x = a[k * Exact::stride + 8 * i];
#pragma unroll
      for (int n = 0; n < 2; n++) {
        float(&sum)[4] = d.at[i >> 1][n];
        sum[2 * (i & 1)] = fused(x, y[n].x, sum[2 * (i & 1)]);
        sum[2 * (i & 1) + 1] = fused(x, y[n].y, sum[2 * (i & 1) + 1]);
      }
    }
  }
}

DEVICE void add_panel(Exact, Tile& d, const float* a, const float* b, const Lane& l) {
  a += row(l, 0, 0) * Exact::stride;
  b += column(l, 0, 0) * Exact::stride;
#pragma unroll 2
  for (int k = 0; k < TILE; k += 2) {
    Pair x[4], y[4];
#pragma unroll
    for (int i = 0; i < 4; i++) x[i] = pair(a + 8 * i * Exact::stride + k);
#pragma unroll
    for (int j = 0; j < 4; j++) y[j] = pair(b + (8 * (j >> 1) + (j & 1)) * Exact::stride + k);
#pragma unroll
    for (int i = 0; i < 16; i++) {
      float& sum = d.at[i >> 3][i >> 1 & 1][2 * (i >> 2 & 1) + (i & 1)];
      sum = fused(x[i >> 2].x, y[i & 3].x, sum);
      sum = fused(x[i >> 2].y, y[i & 3].y, sum);
    }
  }
}

// A matrix instruction sums over steps whose order within it is ours to choose,
// as long as both operands agree: lane part p of tf32's panels takes pixels 2p
// and 2p+1 as steps p and p+4, and that of bfloat16's slices takes channels p,
// p+4, p+8, p+12 as steps 2p, 2p+1, 2p+8, 2p+9, so that banks do not collide and
// pairs load at once.

DEVICE void add_slices(Tf32, Tile& d, const float* a, const float* b, const Lane& l) {
  a += l.part * Tf32::stride + l.top + l.group;
  b += l.part * Tf32::stride + l.left + l.group;
#pragma unroll 2
  for (int k = 0; k < SLICE; k += 8) {
    unsigned x[2][4], y[2][2];
#pragma unroll
    for (int i = 0; i < 8; i++) // half a fragment's rows, then its later steps
      x[i >> 2][i & 3] = to_tf32(a[(k + 4 * (i >> 1 & 1)) * Tf32::stride + 16 * (i >> 2) + 8 * (i & 1)]);
#pragma unroll
    for (int i = 0; i < 4; i++) y[i >> 1][i & 1] = to_tf32(b[(k + 4 * (i & 1)) * Tf32::stride + 8 * (i >> 1)]);
#pragma unroll
    for (int i = 0; i < 4; i++) mma_tf32(d.at[i >> 1][i & 1], x[i >> 1], y[i & 1]);
  }
}

DEVICE void add_panel(Tf32, Tile& d, const float* a, const float* b, const Lane& l) {
  a += (l.top + l.group) * Tf32::stride + 2 * l.part;
  b += (l.left + l.group) * Tf32::stride + 2 * l.part;
#pragma unroll 2
  for (int k = 0; k < TILE; k += 8) {
    unsigned x[2][4], y[2][2];
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const Pair v = pair(a + 8 * i * Tf32::stride + k);
      x[i >> 1][i & 1] = to_tf32(v.x);
      x[i >> 1][2 + (i & 1)] = to_tf32(v.y);
    }
#pragma unroll
    for (int n = 0; n < 2; n++) {
      const Pair v = pair(b + 8 * n * Tf32::stride + k);
      y[n][0] = to_tf32(v.x);
      y[n][1] = to_tf32(v.y);
    }
#pragma unroll
    for (int i = 0; i < 4; i++) mma_tf32(d.at[i >> 1][i & 1], x[i >> 1], y[i & 1]);
  }
}

DEVICE unsigned pack_channels(const float* p) { return pack_bf16(p[0], p[4 * Bf16::stride]); }

DEVICE void add_slices(Bf16, Tile& d, const float* a, const float* b, const Lane& l) {
  a += l.part * Bf16::stride + l.top + l.group;
  b += l.part * Bf16::stride + l.left + l.group;
#pragma unroll
  for (int k = 0; k < SLICE; k += 16) {
    unsigned x[2][4], y[2][2];
#pragma unroll
    for (int i = 0; i < 8; i++)
      x[i >> 2][i & 3] = pack_channels(a + (k + 8 * (i >> 1 & 1)) * Bf16::stride + 16 * (i >> 2) + 8 * (i & 1));
#pragma unroll
    for (int i = 0; i < 4; i++) y[i >> 1][i & 1] = pack_channels(b + (k + 8 * (i & 1)) * Bf16::stride + 8 * (i >> 1));
#pragma unroll
    for (int i = 0; i < 4; i++) mma_bf16(d.at[i >> 1][i & 1], x[i >> 1], y[i & 1]);
  }
}

DEVICE unsigned pack_pixels(const float* p) {
  const Pair v = pair(p);
  return pack_bf16(v.x, v.y);
}

DEVICE void add_panel(Bf16, Tile& d, const float* a, const float* b, const Lane& l) {
  a += (l.top + l.group) * Bf16::stride + 2 * l.part;
  b += (l.left + l.group) * Bf16::stride + 2 * l.part;
#pragma unroll
  for (int k = 0; k < TILE; k += 16) {
    unsigned x[2][4], y[2][2];
#pragma unroll
    for (int i = 0; i < 8; i++)
      x[i >> 2][i & 3] = pack_pixels(a + (16 * (i >> 2) + 8 * (i & 1)) * Bf16::stride + k + 8 * (i >> 1 & 1));
#pragma unroll
    for (int i = 0; i < 4; i++) y[i >> 1][i & 1] = pack_pixels(b + 8 * (i >> 1) * Bf16::stride + k + 8 * (i & 1));
#pragma unroll
    for (int i = 0; i < 4; i++) mma_bf16(d.at[i >> 1][i & 1], x[i >> 1], y[i & 1]);
  }
}

// ---- the way of slices and panels into shared memory

// Part names a matrix [channels][pixels] of an item.
enum Part { Q, K, V, G };

// Operation says what an operation's rows and columns are, one or two pairs of
// them, and of which matrix's columns it has panels. queries: the rows are those
// of q and g, the columns those of k and v, and not the other way round.
template <bool QUERIES, bool SECOND, Part SUMMED> struct Operation {
  static constexpr bool queries = QUERIES, second = SECOND;
  static constexpr Part summed = SUMMED;
  static constexpr Part rows0 = QUERIES ? Q : K, columns0 = QUERIES ? K : Q;
  static constexpr Part rows1 = QUERIES ? G : V, columns1 = QUERIES ? V : G;
};

// Block is what a block works on.
struct Block {
  long long item;
  int row;           // first pixel
  int panel, panels; // first panel and their number
};

// this_block returns that of a grid [items][groups of PANELS panels][tiles].
DEVICE Block this_block(int channels, int pixels) {
  const int tiles = (pixels + TILE - 1) / TILE, all = (channels + TILE - 1) / TILE;
  const int groups = (all + PANELS - 1) / PANELS, rest = blockIdx.x / tiles;
  const int panel = rest % groups * PANELS;
  return {rest / groups, (int)(blockIdx.x % tiles) * TILE, panel, minimum(PANELS, all - panel)};
}

// Stream delivers, for each tile of columns, all slices of an operation's pairs of
// rows and columns, then the block's panels.
struct Stream {
  const float *qkv, *g;       // of the item
  int channels, pixels;
  bool wide;                  // 16 bytes can be copied at once
  int row, panel;             // the block's first
  int slices;                 // of all channels
  int panels;                 // of the block
  int column, delivery, fill; // next to fetch, and the stage for it
};

// open returns a block's stream; g may be null where no operation wants it.
DEVICE Stream open(const Block& b, const float* qkv, const float* g, int channels, int pixels,
                   int wide) {
  const long long size = (long long)channels * pixels;
  Stream s = {};
  s.qkv = qkv + b.item * 3 * size, s.g = g + b.item * size;
  s.channels = channels, s.pixels = pixels, s.wide = wide != 0;
  s.row = b.row, s.panel = b.panel, s.panels = b.panels;
  s.slices = (channels + SLICE - 1) / SLICE;
  return s;
}

// copy_by starts the copies of SLICE channels and TILE pixels of a matrix, WIDTH
// pixels at a time, to rows of a stage.
template <class P, int WIDTH>
DEVICE void copy_by(float* to, const Stream& s, const float* matrix, int step, int channel, int pixel) {
  constexpr int lanes = TILE / WIDTH, height = THREADS / lanes; // of a turn
  const int y = threadIdx.x / lanes, x = threadIdx.x % lanes * WIDTH;
  channel += y, pixel += x, to += y * P::stride + x;
  const float* from = matrix + (long long)channel * step + pixel;
#pragma unroll
  for (int c = 0; c < SLICE; c += height) {
    const bool valid = channel + c < s.channels && pixel < s.pixels;
    if (WIDTH == 4) {
      copy_async16(to + c * P::stride, valid ? from : matrix, valid);
    } else {
      copy_async4(to + c * P::stride, valid ? from : matrix, valid);
    }
    from += (long long)height * step;
  }
}

// copy is copy_by of a part, as wide as it may be.
template <class P> DEVICE void copy(float* to, const Stream& s, Part part, int channel, int pixel) {
  const int step = part == G ? s.pixels : 3 * s.pixels;
  const float* matrix = part == G ? s.g : s.qkv + (int)part * (long long)s.pixels;
  if (s.wide) {
    copy_by<P, 4>(to, s, matrix, step, channel, pixel);
  } else {
    copy_by<P, 1>(to, s, matrix, step, channel, pixel);
  }
}

// The stages lie at the beginning of shared memory; behind returns what follows.
template <class P> DEVICE float* stage(int i) { return shared_memory<float>() + i * TILE * P::stride; }
template <class P> DEVICE float* behind() { return stage<P>(STAGES); }

// fetch starts the next delivery, if there is one: SLICE channels of rows and of
// columns, or twice as many of a panel. It closes a group of copies in any case,
// since next counts groups.
template <class P, class O> DEVICE void fetch(Stream& s) {
  if (s.column < s.pixels) {
    float* to = stage<P>(s.fill);
    const int i = s.delivery, last = O::second ? 2 * s.slices : s.slices;
    const bool panel = i >= last, first = !O::second || i < s.slices;
    const int channel = panel ? (s.panel + i - last) * TILE : (first ? i : i - s.slices) * SLICE;
    const Part top = panel ? O::summed : first ? O::rows0 : O::rows1;
    const Part low = panel ? O::summed : first ? O::columns0 : O::columns1;
    copy<P>(to, s, top, channel, panel ? s.column : s.row);
    copy<P>(to + SLICE * P::stride, s, low, panel ? channel + SLICE : channel, s.column);
    if (++s.delivery == last + s.panels) s.delivery = 0, s.column += TILE;
  }
  s.fill = s.fill == STAGES - 1 ? 0 : s.fill + 1;
  copy_commit();
}

// start fills all stages but the one that next fills first.
template <class P, class O> DEVICE void start(Stream& s) {
#pragma unroll 1
  for (int i = 0; i < STAGES - 1; i++) fetch<P, O>(s);
}

// next returns the stage that the next delivery is in. Its barrier also says that
// all threads are done with the one before, which it refills, and that they see
// the weights stored before it.
template <class P, class O> DEVICE const float* next(Stream& s) {
  copy_wait<STAGES - 2>();
  barrier();
  fetch<P, O>(s);
  return stage<P>(s.fill); // all others are younger
}

} // namespace attention
