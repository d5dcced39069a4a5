// How matrix instructions sum. Products of their factors are exact in float32; the
// device's order and rounding of the sum are not documented.
#pragma once

namespace emulator {

// Eight sums at once, which the compiler keeps in registers.
constexpr int eight = 8;
using Eight = float __attribute__((vector_size(eight * sizeof(float))));

// add returns sum + a[0] b[0] + a[1] b[stride] + ... of `depth` products, each
// rounded to nearest, or truncated as EDM_EMULATOR_SUMS says.
Eight add(Eight sum, const float* a, const Eight* b, int stride, int depth);

} // namespace emulator
