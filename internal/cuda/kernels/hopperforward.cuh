// Convolution, and its gradient by data, as one product: rows are output
// channels, columns the pixels of a box, terms (channel, tap).
//
// The tensor memory accelerator brings the box of each tap from packed pixels, and
// zeros where it lies outside of the images, so that a border is nothing special.
// Columns that a box does not fill hold what shared memory held; their sums are
// nobody's.
#pragma once

namespace hopper {

// Tables are what a block knows of its columns, in shared memory.
struct Tables {
  int* target; // offset in y, -1 outside
  int* owner;  // image, the first one outside
};

// fill_tables writes the tables of a box, whose images have `size` pixels and
// results `width` channels, and returns its first image.
template <int BN>
DEVICE int fill_tables(const Tables& t, const Images& s, const Box& box, const Corner& at, int size,
                       int width) {
  const int first = ((at.image * s.rows + at.row) * s.columns + at.column) / size;
  for (int i = threadIdx.x; i < BN; i += THREADS) {
    const int line = i / box.columns, plane = line / box.rows;
    const int column = at.column + i - line * box.columns, row = at.row + line - plane * box.rows;
    const int image = at.image + plane;
    const bool valid = plane < box.images && column < s.columns && row < s.rows && image < s.count;
    const int pixel = (image * s.rows + row) * s.columns + column, owner = pixel / size;
    t.target[i] = valid ? (owner - first) * width * size + pixel - owner * size : -1;
    t.owner[i] = valid ? owner : first;
  }
  return first;
}

// store_tile writes a consumer's results, a few columns at a time, since their terms
// take registers beside the sums.
template <class T, bool joined>
DEVICE void store_tile(const conv::Target& to, const float (&d)[T::own / 2], const Tables& t,
                       int top, int left, int lane) {
  constexpr int SUBTILES = 4;
#pragma unroll
  for (int j = 0; j < T::own / 8; j += SUBTILES)
    conv::store<gemm::Bf16, joined>(to, reinterpret_cast<const float(&)[1][SUBTILES][4]>(d[4 * j]),
                                    t.target, t.owner, top, left + 8 * j, lane);
}

// convolve computes a tile.
template <class T>
DEVICE void convolve(float* y, const TensorMap* weights, const TensorMap* pixels, const float* bias,
                     const float* sample, const float* residual, int depth, int width, int taps,
                     const Images& images, int size, const Box& box, float scale, int pairs) {
  const int tiles = (width + T::rows - 1) / T::rows, number = blockIdx.x / tiles;
  const int top = (blockIdx.x - number * tiles) * T::rows;
  const Corner at = corner(images, box, number);
  const Ring ring = make_ring<T>();
  int* table = reinterpret_cast<int*>(ring.rest);
  const Tables tables = {table, table + T::columns};
  const int first = fill_tables<T::columns>(tables, images, box, at, size, width);
  barrier();

  const int steps = (depth + STEP - 1) / STEP * taps, thread = threadIdx.x;
  if (thread >= CONSUMERS) {
    if (!elect_one()) return;
    tensormap_acquire(weights);
    tensormap_acquire(pixels);
    const unsigned bytes = ROW * (T::rows + box.columns * box.rows * box.images);
    fill<T>(ring, steps, bytes, [&](int step, unsigned char* shared, Mbarrier* full) {
      const int group = step / taps, tap = step - group * taps, channel = group * STEP;
      tensor_load(shared, weights, channel, top, tap, 0, full);
      load_pixels(shared + T::rows * ROW, pixels, channel, at, tap, taps, full);
    });
    return;
  }
  const int consumer = thread / WARPGROUP, warp = thread % WARPGROUP / 32;
  float d[T::own / 2];
  multiply<T, Major::k>(d, ring, consumer, steps);
  const long long base = (long long)first * width * size;
  const conv::Target to = {y + base, residual ? residual + base : nullptr, bias, sample, width, size,
                           scale};
  const int row = top + (T::tall ? 64 * consumer : 0) + 16 * warp;
  const int left = T::tall ? 0 : T::own * consumer;
  if (pairs) {
    store_tile<T, true>(to, d, tables, row, left, thread & 31);
  } else {
    store_tile<T, false>(to, d, tables, row, left, thread & 31);
  }
}

} // namespace hopper
