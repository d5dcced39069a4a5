// The gradient of a convolution by its weights, as one product for each tap: rows
// are output channels, columns input channels, terms the pixels of all images, a
// box of them at a time. Both factors are packed pixels, whose channels lie side by
// side, so both are transposed operands.
//
// Blocks that share a tile and a tap write their sums to scratch memory; add_parts
// adds these in the order of the pixels.
#pragma once

namespace hopper {

// clear_rest writes zeros to the rows of all pieces that boxes of that many pixels
// do not reach: they are terms of the sum too.
template <class T> DEVICE void clear_rest(const Ring& ring, int pixels) {
  const int words = (STEP - pixels) * ROW / 4, pieces = T::stages * T::bytes / PIECE;
  for (int i = threadIdx.x; i < pieces * words; i += THREADS) {
    const int piece = i / words;
    reinterpret_cast<unsigned*>(ring.stages + piece * PIECE + pixels * ROW)[i - piece * words] = 0;
  }
  async_fence();
}

// Part is what a block computes of a gradient: the tile that begins at row `top`
// and column `left` of one tap, over boxes [begin, end).
struct Part {
  int top, left, tap, begin, end;
};

// bring brings the boxes of a part. Those of x are moved by the tap.
template <class T>
DEVICE void bring(const Ring& ring, const TensorMap* g, const TensorMap* x, const Part& part,
                  int taps, const Images& images, const Box& box) {
  tensormap_acquire(g);
  tensormap_acquire(x);
  const int pieces = T::bytes / PIECE;
  const unsigned bytes = pieces * ROW * box.columns * box.rows * box.images;
  fill<T>(ring, part.end - part.begin, bytes, [&](int step, unsigned char* shared, Mbarrier* full) {
    const Corner at = corner(images, box, part.begin + step);
    for (int i = 0; i < T::rows; i += STEP)
      load_pixels(shared + i * ROW, g, part.top + i, at, 0, 1, full);
    for (int i = 0; i < T::columns; i += STEP)
      load_pixels(shared + (T::rows + i) * ROW, x, part.left + i, at, part.tap, taps, full);
  });
}

// weigh computes the sums of a tile of one tap over the boxes [part*share,
// (part+1)*share). Scratch memory is [part][tap][rows][columns], whole tiles.
template <class T>
DEVICE void weigh(float* partial, const TensorMap* g, const TensorMap* x, int down, int across,
                  int taps, const Images& images, const Box& box, int boxes, int share) {
  const int tiles = down * across, slice = blockIdx.x / tiles, tile = blockIdx.x - slice * tiles;
  const int number = slice / taps, begin = number * share;
  const Part part = {tile / across * T::rows, tile % across * T::columns, slice - number * taps,
                     begin, minimum(begin + share, boxes)};
  const Ring ring = make_ring<T>();
  clear_rest<T>(ring, box.columns * box.rows * box.images);
  barrier();

  const int thread = threadIdx.x;
  if (thread >= CONSUMERS) {
    if (elect_one()) bring<T>(ring, g, x, part, taps, images, box);
    return;
  }
  const int consumer = thread / WARPGROUP, lane = thread & 31;
  float d[T::own / 2];
  multiply<T, Major::mn>(d, ring, consumer, part.end - part.begin);
  const int row = part.top + (T::tall ? 64 * consumer : 0) + thread % WARPGROUP / 32 * 16;
  const int column = part.left + (T::tall ? 0 : T::own * consumer);
  const int pitch = across * T::columns;
  float* to = partial + ((long long)slice * down * T::rows + row + lane / 4) * pitch + column +
              lane % 4 * 2;
#pragma unroll
  for (int i = 0; i < T::own / 2; i += 2)
    *reinterpret_cast<gemm::TwoFloats*>(to + i / 2 % 2 * 8 * pitch + i / 4 * 8) = {{d[i], d[i + 1]}};
}

// add_parts adds the parts of `weigh`, and writes dw [width][depth][taps].
DEVICE void add_parts(float* dw, const float* partial, int width, int depth, int taps, int rows,
                      int columns, int parts, float scale) {
  const int e = blockIdx.x * WARPGROUP + threadIdx.x;
  if (e >= width * depth * taps) return;
  const int line = e / depth, c = e - line * depth, tap = line / width, m = line - tap * width;
  const long long each = (long long)taps * rows * columns;
  const float* from = partial + ((long long)tap * rows + m) * columns + c;
  float sum = 0.0f;
  for (int p = 0; p < parts; p++) sum += from[p * each];
  dw[((long long)m * depth + c) * taps + tap] = sum * scale;
}

} // namespace hopper
