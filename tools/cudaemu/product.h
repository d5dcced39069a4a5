// The matrix instructions, with the fragment layouts of the PTX ISA.
#pragma once

#include "block.h"

namespace emulator {

// multiply_tf32 is mma.m16n8k8 with tf32 operands: D [16,8] += A [16,8] B [8,8].
void multiply_tf32(const Fragments* lanes);

// multiply_bf16 is mma.m16n8k16 with bfloat16 operands: D [16,8] += A [16,16]
// B [16,8].
void multiply_bf16(const Fragments* lanes);

// move_matrices is ldmatrix.m8n8.x4 with 16-bit numbers, with .trans if transposed.
void move_matrices(const Row* lanes, bool transposed);

} // namespace emulator
