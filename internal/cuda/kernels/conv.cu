// Convolutions with stride 1 and same padding, and both their gradients, as
// implicit products of matrices over NCHW float32. Factors are multiplied in IEEE
// float32 (exact), or rounded to tf32 as they leave shared memory; sums are float32.
// conv_bf16.cu has those of bfloat16.
//
// The floor: a 3x3 layer of 256 channels does 2*9*256*256 flop for each pixel and
// moves 2 KiB, 576 flop a byte, so it is bound by the matrix units, not by memory.
// A 128x128 tile does 2*128*128*16 flop for one step's weights (8 KiB) and a ninth
// of a window of 16*200 floats: 55 flop a byte out of the second-level cache. A
// warp's 64x64 tile does 16 flop for each byte of shared memory that it reads: at
// 128 bytes a cycle 2,048 flop, twice what the matrix units of compute capability
// 8.0 do in tf32.
//
// No sum depends on scheduling. An image's results do not depend on the batch.
//
// Here is what comes before and after; conv_fp32.cu and conv_tf32.cu have the
// products.
#include "prelude.cuh"

#include "gemm.cuh"

#include "convgeometry.cuh"

#include "convforward.cuh"
#include "convweights.cuh"

// ---- the weights of a convolution, packed for it

#define PACK(name, P)                                                                          \
  KERNEL void LAUNCH_BOUNDS(128, 8)                                                            \
      name(float* packed, const float* w, int rows, int depth, int taps, int blocks,           \
           int reverse, int words) {                                                           \
    conv::pack_weights<P>(reinterpret_cast<unsigned*>(packed), w, rows, depth, taps, blocks,   \
                          reverse, words);                                                     \
  }

PACK(conv_pack_fp32, gemm::Exact)
EXPORT(conv_pack_fp32)
PACK(conv_pack_tf32, gemm::Tf32)
EXPORT(conv_pack_tf32)

// ---- the parts of a gradient by weights, added, in all precisions

KERNEL void LAUNCH_BOUNDS(128, 8)
    convweights_sum(float* dw, const float* partial, int width, int depth, int taps, int bm, int bc,
                    int warps, int tensor, int tiles, int parts, float scale) {
  conv::add_parts(dw, partial, width, depth, taps, bm, bc, warps, tensor, tiles, parts, scale);
}
EXPORT(convweights_sum)
