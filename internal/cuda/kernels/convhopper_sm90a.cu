// Convolutions with stride 1 and same padding, and both their gradients, by the
// matrix products of Hopper's warpgroups: factors in bfloat16, sums in float32,
// results in NCHW float32. conv.cu has them for any device.
//
// Factors are packed (convpack.cu), so that boxes of them come to shared memory by
// the tensor memory accelerator as the products want them, and no thread touches one.
//
// The floor: a 3x3 layer of 256 channels does 576 flop for each byte of device memory
// (conv.cu), so the matrix units bound it: 989 Tflop/s of an H100 (SXM), 4,096 flop a
// clock and multiprocessor. A tile of 128x256 does 2*128*256*64 flop for a step of 48
// KiB: 85 flop a byte out of the second-level cache, 64x128 does 43. At the matrix
// units' rate that is 11.6 TB/s for the largest tile, which is why there is one of it
// on a multiprocessor and not two of half its size. A product of 64x256 reads 10 KiB
// of shared memory for 524,288 flop: at 128 bytes a clock 6,550 flop, 1.6 times what
// the matrix units do; 64x128 1.3 times, 64x64 just as much. Nothing of this was
// measured.
//
// No sum depends on scheduling. An image's results do not depend on the batch: terms
// are added in the order of channels, 64 at a time, and of taps within these,
// whatever the tile.
#include "prelude.cuh"

#include "hopper.cuh"

#include "gemm.cuh"

#include "convgeometry.cuh"

#include "convforward.cuh"
#include "hopperring.cuh"

#include "hopperforward.cuh"
#include "hopperweights.cuh"

// CONV is y = (conv(x, w) + bias + sample + residual) * scale, and dx by reversed
// weights, for blocks of BM output channels and boxes of at most BN pixels.
#define CONV(name, BM, BN, BLOCKS)                                                             \
  KERNEL void LAUNCH_BOUNDS(288, BLOCKS)                                                       \
      name(float* y, const TensorMap* weights, const TensorMap* pixels, const float* bias,     \
           const float* sample, const float* residual, int depth, int width, int taps,         \
           int columns, int rows, int count, int size, int boxColumns, int boxRows,            \
           int boxImages, float scale, int pairs) {                                            \
    hopper::convolve<hopper::Tile<BM, BN>>(y, weights, pixels, bias, sample, residual, depth,  \
                                           width, taps, {columns, rows, count}, size,          \
                                           {boxColumns, boxRows, boxImages}, scale, pairs);    \
  }

// WEIGH is dw, in parts, for blocks of BM output and BN input channels of one tap.
#define WEIGH(name, BM, BN, BLOCKS)                                                            \
  KERNEL void LAUNCH_BOUNDS(288, BLOCKS)                                                       \
      name(float* partial, const TensorMap* g, const TensorMap* x, int down, int across,       \
           int taps, int columns, int rows, int count, int boxColumns, int boxRows,            \
           int boxImages, int boxes, int share) {                                              \
    hopper::weigh<hopper::Tile<BM, BN>>(partial, g, x, down, across, taps,                     \
                                        {columns, rows, count},                                \
                                        {boxColumns, boxRows, boxImages}, boxes, share);       \
  }

CONV(convhopper_128x256, 128, 256, 1)
EXPORT(convhopper_128x256)
CONV(convhopper_128x128, 128, 128, 2)
EXPORT(convhopper_128x128)
CONV(convhopper_64x128, 64, 128, 2)
EXPORT(convhopper_64x128)

WEIGH(convhopper_weights_128x256, 128, 256, 1)
EXPORT(convhopper_weights_128x256)
WEIGH(convhopper_weights_128x128, 128, 128, 2)
EXPORT(convhopper_weights_128x128)
WEIGH(convhopper_weights_64x128, 64, 128, 2)
EXPORT(convhopper_weights_64x128)

// ---- the parts of a gradient by weights, added

KERNEL void LAUNCH_BOUNDS(128, 8)
    convhopper_sum(float* dw, const float* partial, int width, int depth, int taps, int rows,
                   int columns, int parts, float scale) {
  hopper::add_parts(dw, partial, width, depth, taps, rows, columns, parts, scale);
}
EXPORT(convhopper_sum)
