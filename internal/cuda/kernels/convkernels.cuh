// The kernels that conv_fp32.cu and conv_tf32.cu have for several tiles each. A
// precision is a module of its own, since a driver compiles modules whole, which
// takes seconds.
#pragma once

#include "gemm.cuh"

#include "convgeometry.cuh"

#include "convforward.cuh"
#include "convweights.cuh"

// CONV is y = (conv(x, w) + bias + sample + residual) * scale, and dx by reversed
// weights, for blocks of BM output channels and BN pixels, WM x WN by each warp.
#define CONV(name, P, BM, BN, WM, WN, TAPS)                                                    \
  KERNEL void LAUNCH_BOUNDS(128, 2)                                                            \
      name(float* y, const float* x, const float* packed, const float* bias,                   \
           const float* sample, const float* residual, int count, int depth, int width,        \
           int height, int columns, int strip, int window, int plane, float scale, int quads,  \
           int pairs) {                                                                        \
    conv::convolve<P, BM, BN, WM, WN, TAPS>(y, x, packed, bias, sample, residual, count,       \
                                            depth, width, height, columns, strip, window,      \
                                            plane, scale, quads, pairs);                       \
  }

// WEIGH is dw, in parts, for blocks of BM output and BC input channels.
#define WEIGH(name, P, BM, BC, TAPS)                                                           \
  KERNEL void LAUNCH_BOUNDS(128, 2)                                                            \
      name(float* partial, const float* x, const float* g, int count, int depth, int width,    \
           int height, int columns, int strip, int rows, int group, int chunks, int share,     \
           int window, int plane, int xQuads, int gQuads) {                                    \
    conv::weigh<P, BM, BC, TAPS>(partial, x, g, count, depth, width, height, columns, strip,   \
                                 rows, group, chunks, share, window, plane, xQuads, gQuads);   \
  }
