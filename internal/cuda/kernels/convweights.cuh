// The gradient of a convolution by its weights, as one product: rows are output
// channels, columns (input channel, tap), terms the pixels of all images.
//
// A block takes some of the pixels, CHUNK at a time: rows of a strip, or whole
// small images. The gradient of a chunk and the window of the input that its taps
// touch are in shared memory. Blocks that share an output tile write their sums
// to scratch memory in the order of their threads; add_parts adds these in the
// order of the pixels and puts them where they belong.
#pragma once

namespace conv {

constexpr int CHUNK = 32;        // pixels at a time
constexpr int CHUNK_STAGES = 3;  // chunks in shared memory at once
constexpr int CHUNK_STRIDE = 36; // between channels of a chunk; 4 mod 8 keeps lanes in different banks

// Cut says how images are cut into chunks: `rows` rows of a strip, or, where an
// image is smaller than that, `group` whole images.
struct Cut {
  int rows, group;
};

// Chunk is one of them.
struct Chunk {
  int image;       // first image
  int first;       // number of line 0, see Spot
  int limit;       // lines in all
  int left;        // column of column 0
  long long start; // offset of its first pixel in the plane of a channel
};

DEVICE Chunk chunk_at(const Images& s, const Cut& cut, int number) {
  if (cut.group > 1) return {number * cut.group, number * cut.group, s.count, 0, 0};
  const int bands = (s.height + cut.rows - 1) / cut.rows, strip = number / bands;
  const int top = (number - strip * bands) * cut.rows, image = strip / s.strips;
  const int left = (strip - image * s.strips) * s.strip;
  return {image, top, s.height, left, (long long)top * s.columns + left};
}

// Spot is an element of a chunk or of its window: `offset` from the chunk's first
// pixel in channel 0, `line` and `column` from its first. Lines are rows of the
// image, or images where a chunk holds several. never: in no chunk.
struct Spot {
  int offset, line, column;
};
constexpr int NEVER = 1 << 30;

// spot returns pixel number k of a chunk, of images with that many channels.
DEVICE Spot spot(const Images& s, const Cut& cut, int k, int channels) {
  const int size = cut.rows * s.strip, image = k / size, rest = k - image * size;
  const int row = rest / s.strip, column = rest - row * s.strip;
  if (image >= cut.group) return {0, NEVER, 0};
  const int offset = image * channels * pixels(s) + row * s.columns + column;
  return {offset, cut.group > 1 ? image : row, column};
}

// window_spot returns element i of a window, which has a row and a column more
// than the chunk on every side.
DEVICE Spot window_spot(const Images& s, const Cut& cut, int i, int channels) {
  const int size = (cut.rows + 2) * pitch(s), image = i / size, rest = i - image * size;
  const int line = rest / pitch(s), row = line - 1, column = rest - line * pitch(s) - 1;
  if (image >= cut.group || (cut.group > 1 && (row < 0 || row >= s.height))) return {0, NEVER, 0};
  const int offset = image * channels * pixels(s) + row * s.columns + column;
  return {offset, cut.group > 1 ? image : row, column};
}

// window_place returns where in a window the first tap of pixel k lies.
DEVICE int window_place(const Images& s, const Cut& cut, int k) {
  const int size = cut.rows * s.strip, image = k / size, rest = k - image * size;
  const int row = rest / s.strip, column = rest - row * s.strip;
  return image < cut.group ? (image * (cut.rows + 2) + row) * pitch(s) + column : 0;
}

DEVICE bool inside(const Images& s, const Chunk& c, const Spot& at) {
  const int line = c.first + at.line, column = c.left + at.column;
  return line >= 0 && line < c.limit && column >= 0 && column < s.columns;
}

// load_plain starts the copies of a chunk of BM channels from `top` on.
template <int BM>
DEVICE void load_plain(float* to, const float* from, const Images& s, const Cut& cut,
                       const Chunk& c, int top, int channels, bool quads) {
  const int each = quads ? 4 : 1, across = CHUNK / each;
  const int k = threadIdx.x % across * each;
  const Spot at = spot(s, cut, k, channels);
  const bool here = inside(s, c, at);
  const float* src = from + (long long)c.image * channels * pixels(s) + c.start + at.offset;
  for (int m = threadIdx.x / across; m < BM; m += THREADS / across) {
    const bool valid = here && top + m < channels;
    const float* p = valid ? src + (long long)(top + m) * pixels(s) : from;
    if (quads) {
      copy_async16(to + m * CHUNK_STRIDE + k, p, valid);
    } else {
      copy_async4(to + m * CHUNK_STRIDE + k, p, valid);
    }
  }
}

// load_chunk_window starts the copies of the window of BC channels from `top` on.
template <int BC>
DEVICE void load_chunk_window(float* to, const float* from, const Spot* spots, const Images& s,
                              const Chunk& c, int top, int channels, int window, int plane) {
  const float* src = from + (long long)c.image * channels * pixels(s) + c.start;
  for (int i = threadIdx.x; i < window; i += THREADS) {
    const Spot at = spots[i];
    const bool here = inside(s, c, at);
    for (int m = 0; m < BC; m++) {
      const bool valid = here && top + m < channels;
      const float* p = valid ? src + (long long)(top + m) * pixels(s) + at.offset : from;
      copy_async4(to + m * plane + i, p, valid);
    }
  }
}

// accumulate_chunk adds the products of a chunk to a warp's sums. g is the warp's
// first row, x its first channel; subtile (c, tap) has eight channels, each
// `plane` elements apart, moved by the tap. places are those of window_place.
template <class P, int MT, int CT, int TAPS>
DEVICE void accumulate_chunk(float (&d)[MT][CT * TAPS][4], const float* g, const float* x,
                             const int* places, int plane, int pitch, int lane) {
  if constexpr (P::tensor) {
    const int group = lane >> 2, part = lane & 3;
#pragma unroll
    for (int k = part; k < CHUNK; k += GROUP) {
      typename P::Left left[MT];
#pragma unroll
      for (int i = 0; i < MT; i++) {
        const float *p = g + (16 * i + group) * CHUNK_STRIDE + k, *q = p + 8 * CHUNK_STRIDE;
        const float top[4] = {p[0], p[4], p[8], p[12]}, low[4] = {q[0], q[4], q[8], q[12]};
        gemm::round_left(left[i], top, low);
      }
      const int at[4] = {places[k], places[k + 4], places[k + 8], places[k + 12]};
#pragma unroll
      for (int j = 0; j < CT * TAPS; j++) {
        const int c = j / TAPS, tap = j % TAPS;
        const float* p = x + (8 * c + group) * plane + tap / 3 * pitch + tap % 3;
        const float terms[4] = {p[at[0]], p[at[1]], p[at[2]], p[at[3]]};
        typename P::Right right;
        gemm::round_right(right, terms);
#pragma unroll
        for (int i = 0; i < MT; i++) gemm::multiply(d[i][j], left[i], right);
      }
    }
  } else {
    for (int k = 0; k < CHUNK; k++) {
      gemm::FourFloats rows[MT];
#pragma unroll
      for (int i = 0; i < MT; i++)
#pragma unroll
        for (int r = 0; r < 4; r++)
          rows[i].v[r] = g[(16 * i + gemm::row_of(false, lane, r)) * CHUNK_STRIDE + k];
#pragma unroll
      for (int j = 0; j < CT * TAPS; j++) {
        const int c = j / TAPS, tap = j % TAPS;
        const float* p = x + (8 * c + (lane & 7)) * plane + tap / 3 * pitch + tap % 3;
        gemm::multiply_column(d, j, rows, p[places[k]]);
      }
    }
  }
}

// write_part writes a block's sums in the order of its threads.
template <int MT, int NT> DEVICE void write_part(float* partial, const float (&d)[MT][NT][4]) {
  float* to = partial + (long long)blockIdx.x * (MT * NT * 4 * THREADS) + threadIdx.x;
#pragma unroll
  for (int i = 0; i < MT; i++)
#pragma unroll
    for (int j = 0; j < NT; j++)
#pragma unroll
      for (int r = 0; r < 4; r++) to[((i * NT + j) * 4 + r) * THREADS] = d[i][j][r];
}

// fill_spots writes what a block knows of the pixels of a chunk, window_place, and
// of the elements of its window, window_spot.
template <int TAPS>
DEVICE void fill_spots(int* places, Spot* spots, const Images& s, const Cut& cut, int window,
                       int channels) {
  for (int k = threadIdx.x; k < CHUNK; k += THREADS)
    places[k] = TAPS == 1 ? k : window_place(s, cut, k);
  if (TAPS == 1) return;
  for (int i = threadIdx.x; i < window; i += THREADS) spots[i] = window_spot(s, cut, i, channels);
}

// weigh computes the sums of a tile of BM output and BC input channels over the
// chunks [part*share, (part+1)*share). Two warps share its rows, two its channels.
template <class P, int BM, int BC, int TAPS>
DEVICE void weigh(float* partial, const float* x, const float* g, int count, int depth, int width,
                  int height, int columns, int strip, int rows, int group, int chunks, int share,
                  int window, int plane, int xQuads, int gQuads) {
  constexpr int MT = BM / 32, CT = BC / 16;
  const Images s = make_images(count, height, columns, strip);
  const Cut cut = {rows, group};
  const int across = (depth + BC - 1) / BC, tiles = (width + BM - 1) / BM * across;
  const int part = blockIdx.x / tiles, tile = blockIdx.x - part * tiles;
  const int top = tile / across * BM, left = tile % across * BC, warp = threadIdx.x >> 5;

  const int stage = BM * CHUNK_STRIDE + BC * plane;
  float* shared = shared_memory<float>();
  int* places = reinterpret_cast<int*>(shared + CHUNK_STAGES * stage);
  Spot* spots = reinterpret_cast<Spot*>(places + CHUNK);
  fill_spots<TAPS>(places, spots, s, cut, window, depth);
  barrier();

  const int begin = part * share, end = minimum(begin + share, chunks);
  const auto load = [&](int number) {
    if (number < end) {
      float *to = shared + number % CHUNK_STAGES * stage, *xTo = to + BM * CHUNK_STRIDE;
      const Chunk c = chunk_at(s, cut, number);
      load_plain<BM>(to, g, s, cut, c, top, width, gQuads != 0);
      if constexpr (TAPS == 1) {
        load_plain<BC>(xTo, x, s, cut, c, left, depth, xQuads != 0);
      } else {
        load_chunk_window<BC>(xTo, x, spots, s, c, left, depth, window, plane);
      }
    }
    copy_commit();
  };
  float d[MT][CT * TAPS][4];
  gemm::clear(d);
  for (int i = 0; i < CHUNK_STAGES - 1; i++) load(begin + i);
  for (int number = begin; number < end; number++) {
    copy_wait<CHUNK_STAGES - 2>();
    barrier();
    load(number + CHUNK_STAGES - 1);
    const float* from = shared + number % CHUNK_STAGES * stage;
    accumulate_chunk<P, MT, CT, TAPS>(d, from + warp % 2 * (BM / 2) * CHUNK_STRIDE,
                                      from + BM * CHUNK_STRIDE + warp / 2 * (BC / 2) * plane,
                                      places, plane, pitch(s), threadIdx.x & 31);
  }
  write_part(partial, d);
}

// add_parts adds the parts of `weigh` for tiles of bm x bc channels whose rows
// `warps` warps share, and writes dw [width][depth][taps].
DEVICE void add_parts(float* dw, const float* partial, int width, int depth, int taps, int bm,
                      int bc, int warps, int tensor, int tiles, int parts, float scale) {
  const int each = bm * bc * taps, e = blockIdx.x * THREADS + threadIdx.x;
  if (e >= tiles * each) return;
  float sum = 0.0f;
  for (int p = 0; p < parts; p++) sum += partial[(long long)p * tiles * each + e];
  const int tile = e / each, rest = e - tile * each;
  const int thread = rest % THREADS, lane = thread & 31, warp = thread >> 5, at = rest / THREADS;
  const int wm = bm / warps, wc = bc / (THREADS / 32 / warps); // of a warp
  const int columns = wc / 8 * taps, r = at & 3, j = at / 4 % columns, i = at / 4 / columns;
  const int across = (depth + bc - 1) / bc;
  const int m = tile / across * bm + warp % warps * wm + 16 * i + gemm::row_of(tensor != 0, lane, r);
  const int c = tile % across * bc + warp / warps * wc + j / taps * 8 +
                gemm::column_of(tensor != 0, lane, r);
  if (m < width && c < depth) dw[((long long)m * depth + c) * taps + j % taps] = sum * scale;
}

} // namespace conv
