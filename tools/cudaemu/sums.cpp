#include "sums.h"

#include <cstdint>
#include <cstring>

#include "settings.h"

namespace emulator {
namespace {

// Terms that tensor cores sum at once: 4 in the first, 8 and 16 in later ones.
constexpr int at_once = 4;

using Doubles = double __attribute__((vector_size(eight * sizeof(double))));
using Longs = int64_t __attribute__((vector_size(eight * sizeof(int64_t))));
using Ints = int32_t __attribute__((vector_size(eight * sizeof(int32_t))));

Longs bits(Doubles x) {
  Longs b;
  memcpy(&b, &x, sizeof b);
  return b;
}

Doubles number(Longs b) {
  Doubles x;
  memcpy(&x, &b, sizeof x);
  return x;
}

// magnitude returns |x| as bits, which are in the order of the numbers.
Longs magnitude(Doubles x) { return bits(x) & INT64_MAX; }

constexpr int64_t bias = 1023, mantissa = 52, infinite = 2047;

// truncated returns float32 numbers no further from zero than x.
Eight truncated(Doubles x) {
  const Eight near = __builtin_convertvector(x, Eight);
  const Doubles back = __builtin_convertvector(near, Doubles);
  const Longs beyond = magnitude(back) > magnitude(x);
  Ints b;
  memcpy(&b, &near, sizeof b);
  b += __builtin_convertvector(beyond, Ints); // one less in the last place
  Eight y;
  memcpy(&y, &b, sizeof y);
  return y;
}

Eight add_rounded(Eight sum, const float* a, const Eight* b, int stride, int depth) {
  for (int k = 0; k < depth; k++) sum += a[k] * b[k * stride];
  return sum;
}

// add_some adds a few products the hard way for accuracy: all addends are cut off at
// the last place that the greatest of them has in float32, and so is the sum.
Eight add_some(Eight sum, const float* a, const Eight* b, int stride, int depth) {
  Doubles addends[at_once + 1];
  addends[0] = __builtin_convertvector(sum, Doubles);
  Longs most = magnitude(addends[0]);
  for (int k = 0; k < depth; k++) {
    addends[k + 1] = double(a[k]) * __builtin_convertvector(b[k * stride], Doubles);
    const Longs m = magnitude(addends[k + 1]);
    most = m > most ? m : most;
  }
  Longs exponent = most >> mantissa;
  const Longs wild = exponent == infinite; // has no last place
  const Longs least = Longs{} + (bias - 200); // far below what float32 holds
  exponent = wild ? least : exponent > least ? exponent : least;
  const Doubles unit = number((exponent - 23) << mantissa);
  const Doubles units = number((2 * bias + 23 - exponent) << mantissa); // in 1
  Ints total = {};
  for (int k = 0; k <= depth; k++) total += __builtin_convertvector(addends[k] * units, Ints);
  const Eight cut = truncated(__builtin_convertvector(total, Doubles) * unit);
  return __builtin_convertvector(wild, Ints) ? add_rounded(sum, a, b, stride, depth) : cut;
}

Eight add_truncated(Eight sum, const float* a, const Eight* b, int stride, int depth) {
  for (int k = 0; k < depth; k += at_once) sum = add_some(sum, a + k, b + k * stride, stride, at_once);
  return sum;
}

} // namespace

Eight add(Eight sum, const float* a, const Eight* b, int stride, int depth) {
  return settings().truncates ? add_truncated(sum, a, b, stride, depth)
                              : add_rounded(sum, a, b, stride, depth);
}

} // namespace emulator
