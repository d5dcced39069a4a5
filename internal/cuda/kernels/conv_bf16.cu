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
