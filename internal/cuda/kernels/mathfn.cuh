// Elementary functions in plain C++, the same bits on the device and on the
// host: there is no C library on the device. Bounds are in units in the last
// place of the result (ulp); test/mathfn.cpp holds them.
#pragma once

DEVICE unsigned float_bits(float x) { return __builtin_bit_cast(unsigned, x); }
DEVICE float bits_float(unsigned b) { return __builtin_bit_cast(float, b); }
DEVICE uint64 double_bits(double x) { return __builtin_bit_cast(uint64, x); }
DEVICE double bits_double(uint64 b) { return __builtin_bit_cast(double, b); }

// two_to returns 2^n, -126 <= n <= 127.
DEVICE float two_to(int n) { return bits_float((unsigned)(n + 127) << 23); }

// fast_exp returns e^x to 1 ulp, for every x: infinity above 88.73, denormal
// numbers from -87.34 to -103.98, 0 below, NaN of NaN.
DEVICE float fast_exp(float x) {
  const float limited = x > 89.0f ? 89.0f : x < -104.0f ? -104.0f : x; // NaN stays
  // x = n ln 2 + r with |r| <= ln(2)/2. Adding 1.5*2^23 rounds to an integer and
  // leaves it in the low bits.
  const float shift = 12582912.0f;
  const float shifted = fused(limited, 1.44269504f, shift);
  const float n = shifted - shift;
  float r = fused(n, -0.693147182f, limited);
  r = fused(n, 1.90465430e-9f, r);
  float p = 1.38145406e-3f; // minimax for e^r
  p = fused(p, r, 8.36874545e-3f);
  p = fused(p, r, 4.16683890e-2f);
  p = fused(p, r, 1.66665211e-1f);
  p = fused(p, r, 0.49999994f);
  p = fused(p, r, 1.0f);
  p = fused(p, r, 1.0f);
  // In two factors, for 2^n itself may lie outside the normal numbers.
  const int k = (int)(float_bits(shifted) - float_bits(shift));
  return p * two_to(k >> 1) * two_to(k - (k >> 1));
}

// fast_log returns the natural logarithm to 1 ulp: -infinity of 0, NaN of
// negative numbers and NaN.
DEVICE float fast_log(float x) {
  if (!(x > 0.0f)) return x == 0.0f ? -__builtin_inff() : __builtin_nanf("");
  if (x == __builtin_inff()) return x;
  const bool denormal = x < 1.17549435e-38f;
  const float normal = denormal ? x * 33554432.0f : x;
  // x = 2^e (1 + f), sqrt(1/2) <= 1 + f < sqrt(2).
  const unsigned root = 0x3f3504f3u; // sqrt(1/2)
  const unsigned i = float_bits(normal) - root;
  const float e = (float)(((int)i >> 23) - (denormal ? 25 : 0));
  const float f = bits_float((i & 0x007fffffu) + root) - 1.0f;
  // log(1+f) = 2 atanh(s), as f - f^2/2 + s (f^2/2 + R): f itself is exact.
  const float s = f / (2.0f + f), z = s * s;
  float rest = 0.222222222f;
  rest = fused(rest, z, 0.285714286f);
  rest = fused(rest, z, 0.4f);
  rest = fused(rest, z, 0.666666667f) * z;
  const float square = 0.5f * f * f;
  const float low = fused(s, square + rest, e * -1.90465430e-9f);
  return fused(e, 0.693147182f, f - (square - low));
}

// Quarter is an angle as k quarter turns and a rest of at most an eighth of one.
struct Quarter {
  double rest;
  int k; // 0 to 3
};

// quarter_turns reduces x, |x| <= 2^31, by pi/2 in two parts: the first
// difference is exact.
DEVICE Quarter quarter_turns(double x) {
  const double shift = 6755399441055744.0; // 1.5*2^52: rounds, as in fast_exp
  const double shifted = x * 0.63661977236758134 + shift;
  const double n = shifted - shift;
  double r = fused(-n, 1.5707963267948966, x);
  r = fused(-n, 6.1232339957367660e-17, r);
  return {r, (int)(double_bits(shifted) & 3)};
}

// sin_rest and cos_rest are Taylor series for |r| <= pi/4, to 1e-15.
DEVICE double sin_rest(double r) {
  const double z = r * r;
  double p = -1.0 / 1307674368000;
  p = fused(p, z, 1.0 / 6227020800);
  p = fused(p, z, -1.0 / 39916800);
  p = fused(p, z, 1.0 / 362880);
  p = fused(p, z, -1.0 / 5040);
  p = fused(p, z, 1.0 / 120);
  p = fused(p, z, -1.0 / 6);
  return fused(p * z, r, r);
}

DEVICE double cos_rest(double r) {
  const double z = r * r;
  double p = 1.0 / 20922789888000;
  p = fused(p, z, -1.0 / 87178291200);
  p = fused(p, z, 1.0 / 479001600);
  p = fused(p, z, -1.0 / 3628800);
  p = fused(p, z, 1.0 / 40320);
  p = fused(p, z, -1.0 / 720);
  p = fused(p, z, 1.0 / 24);
  p = fused(p, z, -0.5);
  return fused(p, z, 1.0);
}

// sin_quarters returns sin(x + k pi/2): NaN beyond 2^31, where no part of the
// argument's meaning is left.
DEVICE double sin_quarters(double x, int k) {
  if (!(absolute(x) <= 2147483648.0)) return __builtin_nan("");
  const Quarter q = quarter_turns(x);
  const int turn = (q.k + k) & 3;
  const double v = turn & 1 ? cos_rest(q.rest) : sin_rest(q.rest);
  return turn & 2 ? -v : v;
}

// precise_sin and precise_cos are within 1e-15 in double, and correctly rounded
// from there in float, for |x| <= 2^31; NaN beyond.
DEVICE double precise_sin(double x) { return sin_quarters(x, 0); }
DEVICE double precise_cos(double x) { return sin_quarters(x, 1); }
DEVICE float precise_sin(float x) { return (float)sin_quarters(x, 0); }
DEVICE float precise_cos(float x) { return (float)sin_quarters(x, 1); }

// SineCosine is both of one angle.
struct SineCosine {
  double sine, cosine;
};

// precise_sine_cosine returns precise_sin and precise_cos for |x| <= 2^31.
DEVICE SineCosine precise_sine_cosine(double x) {
  const Quarter q = quarter_turns(x);
  const double s = sin_rest(q.rest), c = cos_rest(q.rest);
  const double sine = q.k & 1 ? c : s, cosine = q.k & 1 ? s : c;
  return {q.k & 2 ? -sine : sine, (q.k + 1) & 2 ? -cosine : cosine};
}

// precise_log returns the natural logarithm of a positive normal number to 1 ulp
// of double: as fast_log, with the series of 2 atanh(s) to s^21.
DEVICE double precise_log(double x) {
  const uint64 root = 0x3fe6a09e667f3bcdull; // sqrt(1/2)
  const uint64 i = double_bits(x) - root;
  const double e = (double)((int64)i >> 52);
  const double f = bits_double((i & 0x000fffffffffffffull) + root) - 1.0;
  const double s = f / (2.0 + f), z = s * s;
  double rest = 2.0 / 21;
  rest = fused(rest, z, 2.0 / 19);
  rest = fused(rest, z, 2.0 / 17);
  rest = fused(rest, z, 2.0 / 15);
  rest = fused(rest, z, 2.0 / 13);
  rest = fused(rest, z, 2.0 / 11);
  rest = fused(rest, z, 2.0 / 9);
  rest = fused(rest, z, 2.0 / 7);
  rest = fused(rest, z, 2.0 / 5);
  rest = fused(rest, z, 2.0 / 3) * z;
  const double square = 0.5 * f * f;
  const double low = fused(s, square + rest, e * 2.3190468138462996e-17);
  return fused(e, 0.69314718055994529, f - (square - low));
}

// precise_exp returns e^x to 2 ulp of double: 0 below -708, infinity above 709.
DEVICE double precise_exp(double x) {
  if (x < -708.0) return 0.0;
  if (x > 709.0) return __builtin_inf();
  const double shift = 6755399441055744.0;
  const double shifted = x * 1.4426950408889634 + shift;
  const double n = shifted - shift;
  double r = fused(-n, 0.69314718055994529, x);
  r = fused(-n, 2.3190468138462996e-17, r);
  double p = 1.0 / 6227020800; // Taylor to r^13
  p = fused(p, r, 1.0 / 479001600);
  p = fused(p, r, 1.0 / 39916800);
  p = fused(p, r, 1.0 / 3628800);
  p = fused(p, r, 1.0 / 362880);
  p = fused(p, r, 1.0 / 40320);
  p = fused(p, r, 1.0 / 5040);
  p = fused(p, r, 1.0 / 720);
  p = fused(p, r, 1.0 / 120);
  p = fused(p, r, 1.0 / 24);
  p = fused(p, r, 1.0 / 6);
  p = fused(p, r, 0.5);
  p = fused(p, r, 1.0);
  p = fused(p, r, 1.0);
  // The integer's low bits, moved to the exponent of 1.
  return p * bits_double((double_bits(shifted) + 1023) << 52);
}
