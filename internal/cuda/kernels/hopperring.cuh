// What the products of convhopper_sm90a.cu share: a block's tile, and the ring of
// stages through which boxes come to it. It comes after hopper.cuh.
//
// A block is two warpgroups, the consumers, which multiply 64 rows of the tile each,
// or all 64 and half of the columns, and a warp that brings boxes to shared memory,
// a step of the sum at a time. One warp takes few registers from the others, so that
// they are not to be divided anew (setmaxnreg).
#pragma once

namespace hopper {

constexpr int WARPGROUP = 128; // threads
constexpr int CONSUMERS = 2 * WARPGROUP;
constexpr int THREADS = CONSUMERS + 32;
constexpr int STEP = 64;          // terms of the sum, and channels of a box
constexpr int ROW = 2 * STEP;     // bytes of a row of a box
constexpr int PIECE = STEP * ROW; // of 64 rows

// Tile is what a block computes: BM rows and BN columns.
template <int BM, int BN> struct Tile {
  static_assert((BM == 64 || BM == 128) && BN % 128 == 0, "two consumers of 64 rows");
  static constexpr int rows = BM, columns = BN;
  static constexpr bool tall = BM == 128; // then consumers divide rows, else columns
  static constexpr int own = tall ? BN : BN / 2; // columns of a consumer
  static constexpr int bytes = (BM + BN) * ROW;  // of a stage
  // Of the largest tile a multiprocessor has one block, of others two, so that one
  // multiplies while the other writes its results.
  static constexpr int blocks = BM + BN > 256 ? 1 : 2;
  static constexpr int stages = blocks == 1 ? 4 : 768 / (BM + BN);
};

// Ring is where a block's stages lie: rows of A, then rows of B. Boxes of a stage
// have landed when `full` completes a phase, and were read when `empty` does.
struct Ring {
  unsigned char* stages;
  Mbarrier *full, *empty; // one each a stage
  unsigned char* rest;    // what lies behind them
};

// make_ring lays a ring out in shared memory. One thread makes its barriers, which
// others use after a barrier().
template <class T> DEVICE Ring make_ring() {
  unsigned char* stages = align_shared(shared_memory<unsigned char>(), 8 * ROW);
  Mbarrier* full = reinterpret_cast<Mbarrier*>(stages + T::stages * T::bytes);
  const Ring ring = {stages, full, full + T::stages,
                     reinterpret_cast<unsigned char*>(full + 2 * T::stages)};
  if (threadIdx.x == 0) {
    for (int i = 0; i < T::stages; i++) {
      mbarrier_init(ring.full + i, 1);
      mbarrier_init(ring.empty + i, CONSUMERS / 32); // a lane of each warp
    }
    mbarrier_init_fence();
  }
  return ring;
}

// Turn is a stage, and the parity of the phase that a walk through the ring waits
// for there.
struct Turn {
  int stage;
  unsigned parity;
};

template <class T> DEVICE void advance(Turn& t) {
  if (++t.stage < T::stages) return;
  t.stage = 0;
  t.parity ^= 1;
}

// fill calls load(step, shared, full) for every step, once its stage is free. load
// starts copies of that many bytes to `shared`, which count on `full`. One thread
// does it.
template <class T, class Load>
DEVICE void fill(const Ring& ring, int steps, unsigned bytes, const Load& load) {
  Turn t = {0, 1}; // a new barrier's phase of parity 1 is complete
  for (int step = 0; step < steps; step++) {
    Mbarrier* full = ring.full + t.stage;
    mbarrier_wait(ring.empty + t.stage, t.parity);
    mbarrier_arrive_expect(full, bytes);
    load(step, ring.stages + t.stage * T::bytes, full);
    advance<T>(t);
  }
}

// multiply sums a consumer's part of the tile over all steps. A step's products
// are in flight while the next one's stage is waited for, so a stage is free again
// one step later.
template <class T, Major major>
DEVICE void multiply(float (&d)[T::own / 2], const Ring& ring, int consumer, int steps) {
  // 16 terms are 32 bytes of a row, or 16 rows.
  constexpr unsigned each = major == Major::k ? 32 : 16 * ROW;
  // Channels of a piece are side by side, or lie in pieces one after the other.
  constexpr unsigned leading = major == Major::k ? 16 : PIECE;
  const unsigned char* first = ring.stages + (T::tall ? consumer * PIECE : 0);
  const unsigned char* second = ring.stages + T::rows * ROW + (T::tall ? 0 : consumer * T::own * ROW);
  const uint64 a = wgmma_operand(first, leading, 8 * ROW, Swizzle::bytes128);
  const uint64 b = wgmma_operand(second, leading, 8 * ROW, Swizzle::bytes128);
  const bool leader = threadIdx.x % 32 == 0;
  Turn t = {0, 0};
  int before = 0;
  // Sums begin as zeros, not with a product that ignores them: with registers that
  // nothing has defined, the assemblers of CUDA 12.3 and 12.4 let no two products be
  // in flight.
#pragma unroll
  for (float& v : d) v = 0.0f;
  wgmma_fence(d);
  for (int step = 0; step < steps; step++) {
    mbarrier_wait(ring.full + t.stage, t.parity);
    wgmma_fence(); // the assembler of CUDA 13.0 adds one where a loop comes round without
    const unsigned at = (unsigned)(t.stage * T::bytes);
#pragma unroll
    for (unsigned k = 0; k < STEP / 16; k++)
      wgmma_bf16<T::own, major, major>(d, wgmma_advance(a, at + k * each),
                                       wgmma_advance(b, at + k * each), true);
    wgmma_commit();
    wgmma_wait<1>();
    if (leader && step > 0) mbarrier_arrive(ring.empty + before);
    before = t.stage;
    advance<T>(t);
  }
  wgmma_wait<0>(d);
}

// Images are packed pixels as boxes of them are read. A 1x1 convolution sees all
// images as one row.
struct Images {
  int columns, rows, count;
};

// Box is how many pixels come at once.
struct Box {
  int columns, rows, images;
};

// Corner is the first pixel of a box.
struct Corner {
  int column, row, image;
};

// corner returns that of box `number`, of those that divide the images.
DEVICE Corner corner(const Images& s, const Box& box, int number) {
  const int across = (s.columns + box.columns - 1) / box.columns;
  const int down = (s.rows + box.rows - 1) / box.rows;
  const int line = number / across, image = line / down;
  return {(number - line * across) * box.columns, (line - image * down) * box.rows,
          image * box.images};
}

// load_pixels starts the copy of 64 channels of a box, moved by a tap of `taps`.
DEVICE void load_pixels(void* shared, const TensorMap* map, int channel, const Corner& at, int tap,
                        int taps, Mbarrier* full) {
  const int right = taps == 1 ? 0 : tap % 3 - 1, below = taps == 1 ? 0 : tap / 3 - 1;
  tensor_load(shared, map, channel, at.column + right, at.row + below, at.image, full);
}

} // namespace hopper
