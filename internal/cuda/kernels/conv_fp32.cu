// Convolutions with factors in IEEE float32; see conv.cu. Names: kernel
// size, precision, and what a block computes: output channels x pixels, or output
// x input channels of the gradient by weights.
#include "prelude.cuh"

#include "convkernels.cuh"

CONV(conv3x3_fp32_64x128, gemm::Exact, 64, 128, 64, 32, 9)
EXPORT(conv3x3_fp32_64x128)
CONV(conv3x3_fp32_32x64, gemm::Exact, 32, 64, 32, 16, 9)
EXPORT(conv3x3_fp32_32x64)
CONV(conv1x1_fp32_64x128, gemm::Exact, 64, 128, 64, 32, 1)
EXPORT(conv1x1_fp32_64x128)
CONV(conv1x1_fp32_32x64, gemm::Exact, 32, 64, 32, 16, 1)
EXPORT(conv1x1_fp32_32x64)

WEIGH(convweights3x3_fp32_64x16, gemm::Exact, 64, 16, 9)
EXPORT(convweights3x3_fp32_64x16)
WEIGH(convweights1x1_fp32_64x64, gemm::Exact, 64, 64, 1)
EXPORT(convweights1x1_fp32_64x64)
