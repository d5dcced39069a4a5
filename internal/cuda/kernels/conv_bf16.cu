// Convolutions with factors in bfloat16, sums in float32; see conv.cu. Names: kernel
// size, precision, and what a block computes: output channels x pixels, or output
// x input channels of the gradient by weights.
#include "prelude.cuh"

#include "convkernels.cuh"

CONV(conv3x3_bf16_128x128, gemm::Bf16, 128, 128, 64, 64, 9)
EXPORT(conv3x3_bf16_128x128)
CONV(conv3x3_bf16_64x128, gemm::Bf16, 64, 128, 64, 32, 9)
EXPORT(conv3x3_bf16_64x128)
CONV(conv3x3_bf16_64x64, gemm::Bf16, 64, 64, 32, 32, 9)
EXPORT(conv3x3_bf16_64x64)
CONV(conv3x3_bf16_32x64, gemm::Bf16, 32, 64, 32, 16, 9)
EXPORT(conv3x3_bf16_32x64)
CONV(conv1x1_bf16_128x128, gemm::Bf16, 128, 128, 64, 64, 1)
EXPORT(conv1x1_bf16_128x128)
CONV(conv1x1_bf16_64x128, gemm::Bf16, 64, 128, 64, 32, 1)
EXPORT(conv1x1_bf16_64x128)
CONV(conv1x1_bf16_64x64, gemm::Bf16, 64, 64, 32, 32, 1)
EXPORT(conv1x1_bf16_64x64)
CONV(conv1x1_bf16_32x64, gemm::Bf16, 32, 64, 32, 16, 1)
EXPORT(conv1x1_bf16_32x64)

WEIGH(convweights3x3_bf16_128x16, gemm::Bf16, 128, 16, 9)
EXPORT(convweights3x3_bf16_128x16)
WEIGH(convweights3x3_bf16_64x16, gemm::Bf16, 64, 16, 9)
EXPORT(convweights3x3_bf16_64x16)
WEIGH(convweights1x1_bf16_128x64, gemm::Bf16, 128, 64, 1)
EXPORT(convweights1x1_bf16_128x64)
WEIGH(convweights1x1_bf16_64x64, gemm::Bf16, 64, 64, 1)
EXPORT(convweights1x1_bf16_64x64)
