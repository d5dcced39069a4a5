// The gradient of a convolution by its weights from packed pixels, as one product:
// rows are output channels, columns (input channel, tap), terms the pixels of all
// images.
//
// Blocks share the work as in convweights.cuh, whose chunks and windows these are.
// Both factors lie in shared memory by pixels, the product's terms; ldmatrix
// transposes them as it reads. Of 32 pixels lane l names the row of number l.
#pragma once

namespace packed {

// chunk_pixels and chunk_stages return how many pixels a chunk has, and how many
// chunks are in shared memory at once.
DEVICE constexpr int chunk_pixels(int taps) { return taps == 1 ? 32 : 64; }
DEVICE constexpr int chunk_stages(int taps) { return taps == 1 ? 4 : 3; }

// Tables are what a block knows of the pixels of a chunk, in shared memory.
struct Tables {
  conv::Spot* own;    // of its pixels
  conv::Spot* window; // of the rows of its window
  int* places;        // row of the window that is the first tap of a pixel
};

template <int TAPS>
DEVICE void fill_tables(const Tables& t, const conv::Images& s, const conv::Cut& cut, int window) {
  constexpr int pixels = chunk_pixels(TAPS);
  for (int k = threadIdx.x; k < pixels; k += THREADS) {
    t.own[k] = conv::spot(s, cut, k, 1);
    t.places[k] = TAPS == 1 ? k : conv::window_place(s, cut, k);
  }
  if (TAPS == 1) return;
  for (int i = threadIdx.x; i < window; i += THREADS) t.window[i] = conv::window_spot(s, cut, i, 1);
}

// load_rows starts the copies of the rows of a chunk or of its window, of BYTES from
// channel `first` on; channels counts those of a pixel with its zeros.
template <int BYTES>
DEVICE void load_rows(unsigned char* to, const bfloat16* from, const conv::Spot* spots, int rows,
                      const conv::Images& s, const conv::Chunk& c, int first, int channels) {
  constexpr int pieces = BYTES / 16;
  const int piece = threadIdx.x % pieces, channel = first + PIECE * piece;
  from += ((long long)c.image * conv::pixels(s) + c.start) * channels + channel;
  for (int row = threadIdx.x / pieces; row < rows; row += THREADS / pieces) {
    const conv::Spot at = spots[row];
    const bool valid = channel < channels && conv::inside(s, c, at);
    copy_async16(to + offset_of<BYTES>(row, piece), from + (valid ? at.offset * channels : 0), valid);
  }
}

// accumulate_chunk adds the products of a chunk to a warp's sums. g and x are
// addresses in shared memory, top and left the warp's first channels. Groups of 32
// pixels are not unrolled: there are no registers for the fragments of two.
template <int BM, int BC, int TAPS, int MT, int NT>
DEVICE void accumulate_chunk(float (&d)[MT][NT][4], unsigned g, unsigned x, int top, int left,
                             const int* places, int pitch, int lane) {
#pragma unroll 1
  for (int k = 0; k < chunk_pixels(TAPS); k += 32) {
    const int at = places[k + lane];
    unsigned a[2][MT][4];
#pragma unroll
    for (int half = 0; half < 2; half++)
#pragma unroll
      for (int i = 0; i < MT; i++) {
        const int row = k + 16 * half + (lane & 7) + (lane >> 4) * 8;
        load_transposed(a[half][i],
                        g + offset_of<2 * BM>(row, top / PIECE + 2 * i + (lane >> 3 & 1)));
      }
#pragma unroll
    for (int j = 0; j < NT; j++) {
      const int tap = j % TAPS, row = at + (TAPS == 1 ? 0 : tap / 3 * pitch + tap % 3);
      unsigned b[4];
      load_transposed(b, x + offset_of<2 * BC>(row, left / PIECE + j / TAPS));
#pragma unroll
      for (int half = 0; half < 2; half++) {
        const unsigned column[2] = {b[2 * half], b[2 * half + 1]};
#pragma unroll
        for (int i = 0; i < MT; i++) mma_bf16(d[i][j], a[half][i], column);
      }
    }
  }
}

// weigh computes the sums of a tile of BM output and BC input channels over the
// chunks [part*share, (part+1)*share). ACROSS warps share its rows.
template <int BM, int BC, int TAPS, int ACROSS>
DEVICE void weigh(float* partial, const bfloat16* x, const bfloat16* g, int count, int depth,
                  int width, int height, int columns, int strip, int rows, int group, int chunks,
                  int share, int window) {
  constexpr int WM = BM / ACROSS, WC = BC / (4 / ACROSS), MT = WM / 16, NT = WC / 8 * TAPS;
  constexpr int pixels = chunk_pixels(TAPS), stages = chunk_stages(TAPS);
  const conv::Images s = conv::make_images(count, height, columns, strip);
  const conv::Cut cut = {rows, group};
  const int across = (depth + BC - 1) / BC, tiles = (width + BM - 1) / BM * across;
  const int part = blockIdx.x / tiles, tile = blockIdx.x - part * tiles;
  const int top = tile / across * BM, left = tile % across * BC;
  const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;

  const int stage = 2 * (BM * pixels + BC * window);
  unsigned char* shared = shared_memory<unsigned char>();
  conv::Spot* own = reinterpret_cast<conv::Spot*>(shared + stages * stage);
  conv::Spot* around = TAPS == 1 ? own : own + pixels;
  const Tables tables = {own, around, reinterpret_cast<int*>(around + window)};
  fill_tables<TAPS>(tables, s, cut, window);
  barrier();

  const int begin = part * share, end = minimum(begin + share, chunks);
  const auto load = [&](int number) {
    if (number < end) {
      unsigned char* to = shared + number % stages * stage;
      const conv::Chunk c = conv::chunk_at(s, cut, number);
      load_rows<2 * BM>(to, g, tables.own, pixels, s, c, top, (width + PIECE - 1) / PIECE * PIECE);
      load_rows<2 * BC>(to + 2 * BM * pixels, x, tables.window, window, s, c, left,
                        (depth + PIECE - 1) / PIECE * PIECE);
    }
    copy_commit();
  };
  float d[MT][NT][4];
  gemm::clear(d);
  for (int i = 0; i < stages - 1; i++) load(begin + i);
  for (int number = begin; number < end; number++) {
    copy_wait<stages - 2>();
    barrier();
    load(number + stages - 1);
    const unsigned from = shared_address(shared + number % stages * stage);
    accumulate_chunk<BM, BC, TAPS>(d, from, from + 2 * BM * pixels, warp % ACROSS * WM,
                                   warp / ACROSS * WC, tables.places, conv::pitch(s), lane);
  }
  conv::write_part(partial, d);
}

} // namespace packed
