// Convolutions with factors in tf32, sums in float32; see conv.cu. Names: kernel
// size, precision, and what a block computes: output channels x pixels, or output
// x input channels of the gradient by weights.
#include "prelude.cuh"

#include "convkernels.cuh"

CONV(conv3x3_tf32_128x128, gemm::Tf32, 128, 128, 64, 64, 9)
EXPORT(conv3x3_tf32_128x128)
CONV(conv3x3_tf32_64x128, gemm::Tf32, 64, 128, 64, 32, 9)
EXPORT(conv3x3_tf32_64x128)
CONV(conv3x3_tf32_64x64, gemm::Tf32, 64, 64, 32, 32, 9)
EXPORT(conv3x3_tf32_64x64)
CONV(conv3x3_tf32_32x64, gemm::Tf32, 32, 64, 32, 16, 9)
EXPORT(conv3x3_tf32_32x64)
CONV(conv1x1_tf32_128x128, gemm::Tf32, 128, 128, 64, 64, 1)
EXPORT(conv1x1_tf32_128x128)
CONV(conv1x1_tf32_64x128, gemm::Tf32, 64, 128, 64, 32, 1)
EXPORT(conv1x1_tf32_64x128)
CONV(conv1x1_tf32_64x64, gemm::Tf32, 64, 64, 32, 32, 1)
EXPORT(conv1x1_tf32_64x64)
CONV(conv1x1_tf32_32x64, gemm::Tf32, 32, 64, 32, 16, 1)
EXPORT(conv1x1_tf32_32x64)

WEIGH(convweights3x3_tf32_128x16, gemm::Tf32, 128, 16, 9)
EXPORT(convweights3x3_tf32_128x16)
WEIGH(convweights3x3_tf32_64x16, gemm::Tf32, 64, 16, 9)
EXPORT(convweights3x3_tf32_64x16)
WEIGH(convweights1x1_tf32_128x64, gemm::Tf32, 128, 64, 1)
EXPORT(convweights1x1_tf32_128x64)
WEIGH(convweights1x1_tf32_64x64, gemm::Tf32, 64, 64, 1)
EXPORT(convweights1x1_tf32_64x64)
