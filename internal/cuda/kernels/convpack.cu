// What products of bfloat16 read: pixels and weights, rounded once, with the
// channels that are summed over next to each other.
//
// Packed pixels are [image][pixel][channel], packed weights [tap][row][column]:
// rows are channels of the result, columns those that are summed over. Channels
// and columns are rounded up to a multiple of 8 with zeros, so that each row
// begins at 16 bytes. Numbers are rounded to nearest, ties to even.
//
// The floor is memory: 6 bytes an element, 4 read and 2 written. A warp reads 128
// bytes of a channel and writes 128 of a pixel or less, in whole sectors of 32
// bytes where rows are aligned to them; a thread has 16 reads in flight.
#include "prelude.cuh"
#include "packtile.cuh"

namespace {

constexpr int ROWS = 8; // of a tile of weights

// gather rounds a tile, pixel by pixel. count is that of the pixels of all images,
// size that of one. What is outside is read from the last place inside and dropped,
// so that no read waits for a branch.
DEVICE void gather(unsigned* tile, const float* x, int first, int count, int channels, int size,
                   int top) {
  constexpr int STEP = THREADS / PIXELS, PAIRS = CHANNELS / 2 / STEP; // of a thread
  const int place = threadIdx.x % PIXELS, pixel = minimum(first + place, count - 1);
  const int image = pixel / size, pair = threadIdx.x / PIXELS;
  const float* from = x + (long long)image * channels * size + (pixel - image * size);
  float v[PAIRS][2];
#pragma unroll
  for (int i = 0; i < 2 * PAIRS; i++) {
    const int c = top + 2 * (pair + i / 2 * STEP) + i % 2;
    v[i / 2][i % 2] = from[(long long)minimum(c, channels - 1) * size];
  }
#pragma unroll
  for (int i = 0; i < PAIRS; i++) {
    const int c = top + 2 * (pair + i * STEP);
    tile[word_of(pair + i * STEP, place)] =
        pack_bf16(c < channels ? v[i][0] : 0.0f, c + 1 < channels ? v[i][1] : 0.0f);
  }
}

} // namespace

// convpack_pixels packs images [count / size][channels][size]; stride is the number
// of channels with their zeros. A block has a tile of some channels of some pixels;
// tiles of channels come first.
KERNEL void LAUNCH_BOUNDS(256, 6)
    convpack_pixels(unsigned* packed, const float* x, int count, int channels, int size, int stride) {
  unsigned* tile = shared_memory<unsigned>();
  const int tiles = (stride + CHANNELS - 1) / CHANNELS, number = blockIdx.x / tiles;
  const int top = (blockIdx.x - number * tiles) * CHANNELS, first = number * PIXELS;
  gather(tile, x, first, count, channels, size, top);
  barrier();
  store_tile(packed, tile, first, count - first, top, stride);
}
EXPORT(convpack_pixels)

// convpack_weights packs weights [rows][columns][taps]; stride is the number of
// columns with their zeros. With reverse, the weights are [columns][rows][taps] and
// their taps are mirrored, for the gradient by data. A block has a tile of some
// rows and columns, which it reads in the order of the weights.
KERNEL void LAUNCH_BOUNDS(256, 4)
    convpack_weights(unsigned* packed, const float* w, int rows, int columns, int taps, int stride,
                     int reverse) {
  float* tile = shared_memory<float>(); // [ROWS][CHANNELS][taps]
  const int tiles = (stride + CHANNELS - 1) / CHANNELS, number = blockIdx.x / tiles;
  const int top = number * ROWS, left = (blockIdx.x - number * tiles) * CHANNELS;
  const int run = (reverse ? ROWS : CHANNELS) * taps; // neighbours in memory
  for (int i = threadIdx.x; i < ROWS * CHANNELS * taps; i += THREADS) {
    const int line = i / run, rest = i - line * run, step = rest / taps, tap = rest - step * taps;
    const int row = reverse ? step : line, column = reverse ? line : step;
    const int m = top + row, c = left + column;
    const long long at = reverse ? (long long)c * rows + m : (long long)m * columns + c;
    const bool here = m < rows && c < columns;
    tile[(row * CHANNELS + column) * taps + (reverse ? taps - 1 - tap : tap)] =
        here ? w[at * taps + tap] : 0.0f;
  }
  barrier();
  for (int i = threadIdx.x; i < taps * ROWS * CHANNELS / 2; i += THREADS) {
    const int pair = i % (CHANNELS / 2), row = i / (CHANNELS / 2) % ROWS, tap = i / (CHANNELS / 2) / ROWS;
    const int m = top + row, c = left + 2 * pair;
    if (m >= rows || c >= stride) continue;
    const float* from = tile + (row * CHANNELS + 2 * pair) * taps + tap;
    packed[(((long long)tap * rows + m) * stride + c) / 2] = pack_bf16(from[0], from[taps]);
  }
}
EXPORT(convpack_weights)
