// Convolutions with factors in bfloat16, and both their gradients, over operands
// that convpack.cu packed; sums are float32. conv.cu says what is computed. Names:
// kernel size, precision, and what a block computes: output channels x pixels, or
// output x input channels of the gradient by weights.
//
// The floor is the matrix units; below are the bytes that feed them, for 3x3 kernels
// on images 32 pixels wide, in flop a byte. Matrix units of compute capability 8.0
// do 2,048 flop a cycle, for which 128 bytes of shared memory can be read: 16 flop a
// byte are what they need at least.
//
//   tile     from the second-level cache        from shared memory, by a warp
//   128x128  109: 8 KiB of weights a step and   32: 64x64, 4 KiB for 16 terms
//            a ninth of a window of 204 rows
//   64x128   95                                 21: 64x32
//   64x64    52                                 16: 32x32
//   32x64    43                                 11: 32x16
//   dw       140: 8 KiB of gradient, 136 rows   34: 64x(8 channels, 9 taps)
//   64x32    of a window, for 64 pixels
//
// So the largest tile takes half of what shared memory gives, and 19 bytes a cycle
// from the second-level cache; a window for each tap would be 64 flop a byte, 32
// bytes a cycle. 1x1 kernels have 64 and 32 flop a byte with tiles of 128x128, of
// either product. Blocks have 128 threads with 255 registers at most, so that two
// are on a multiprocessor where shared memory allows: 61 KiB with the largest tile.
#include "prelude.cuh"

#include "gemm.cuh"

#include "convgeometry.cuh"

#include "convforward.cuh"
#include "convweights.cuh"

#include "convpacked.cuh"

#include "convpackedforward.cuh"
#include "convpackedweights.cuh"

// CONV is y = (conv(x, w) + bias + sample + residual) * scale, and dx by reversed
// weights, for blocks of BM output channels and BN pixels, WM x WN by each warp.
#define CONV(name, BM, BN, WM, WN, TAPS)                                                       \
  KERNEL void LAUNCH_BOUNDS(128, 2)                                                            \
      name(float* y, const unsigned short* x, const unsigned short* w, const float* bias,      \
           const float* sample, const float* residual, int count, int depth, int width,        \
           int height, int columns, int strip, int window, float scale, int pairs) {           \
    packed::convolve<BM, BN, WM, WN, TAPS>(y, x, w, bias, sample, residual, count, depth,      \
                                           width, height, columns, strip, window, scale,       \
                                           pairs);                                             \
  }

// WEIGH is dw, in parts, for blocks of BM output and BC input channels; ACROSS warps
// share the former.
#define WEIGH(name, BM, BC, TAPS, ACROSS)                                                      \
  KERNEL void LAUNCH_BOUNDS(128, 2)                                                            \
      name(float* partial, const unsigned short* x, const unsigned short* g, int count,        \
           int depth, int width, int height, int columns, int strip, int rows, int group,      \
           int chunks, int share, int window) {                                                \
    packed::weigh<BM, BC, TAPS, ACROSS>(partial, x, g, count, depth, width, height, columns,   \
                                        strip, rows, group, chunks, share, window);            \
  }

CONV(conv3x3_bf16_128x128, 128, 128, 64, 64, 9)
EXPORT(conv3x3_bf16_128x128)
CONV(conv3x3_bf16_64x128, 64, 128, 64, 32, 9)
EXPORT(conv3x3_bf16_64x128)
CONV(conv3x3_bf16_64x64, 64, 64, 32, 32, 9)
EXPORT(conv3x3_bf16_64x64)
CONV(conv3x3_bf16_32x64, 32, 64, 32, 16, 9)
EXPORT(conv3x3_bf16_32x64)
CONV(conv1x1_bf16_128x128, 128, 128, 64, 64, 1)
EXPORT(conv1x1_bf16_128x128)
CONV(conv1x1_bf16_64x128, 64, 128, 64, 32, 1)
EXPORT(conv1x1_bf16_64x128)
CONV(conv1x1_bf16_64x64, 64, 64, 32, 32, 1)
EXPORT(conv1x1_bf16_64x64)
CONV(conv1x1_bf16_32x64, 32, 64, 32, 16, 1)
EXPORT(conv1x1_bf16_32x64)

WEIGH(convweights3x3_bf16_64x32, 64, 32, 9, 1)
EXPORT(convweights3x3_bf16_64x32)
WEIGH(convweights1x1_bf16_128x128, 128, 128, 1, 2)
EXPORT(convweights1x1_bf16_128x128)
WEIGH(convweights1x1_bf16_64x64, 64, 64, 1, 2)
EXPORT(convweights1x1_bf16_64x64)
