// Holds the functions of mathfn.cuh and philox.cuh to their error bounds, against
// long double, and to their values at the edges. Built and run by run.sh beside it.
#include "../prelude.cuh"
#include "../philox.cuh"

#include <cmath>
#include <cstdio>
#include <initializer_list>
#include <limits>

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float nan_value = std::numeric_limits<float>::quiet_NaN();
int failures = 0;

// unit returns the unit in the last place of a number near want, in a format
// with that many bits of fraction and that least exponent.
long double unit(long double want, int fraction, int least) {
  int exponent;
  std::frexp(want, &exponent);
  exponent -= 1;
  return std::ldexp(1.0L, (want == 0 || exponent < least ? least : exponent) - fraction);
}

long double unit_of(float, long double want) { return unit(want, 23, -126); }
long double unit_of(double, long double want) { return unit(want, 52, -1022); }

// Worst is the greatest error seen, and where.
struct Worst {
  long double ulp = 0;
  double at = 0;
  long points = 0;
};

template <class T> void see(Worst& w, T x, T got, long double want) {
  const bool overflow = std::fabs(want) > (long double)std::numeric_limits<T>::max();
  long double ulp = std::fabs((long double)got - want) / unit_of(got, want);
  if (overflow && std::isinf(got)) ulp = 0; // rounds to infinity
  if (std::isnan(got)) ulp = 1e9L;
  w.points++;
  if (ulp > w.ulp) w.ulp = ulp, w.at = (double)x;
}

void report(const char* name, const Worst& w, double bound) {
  const bool ok = w.points > 0 && w.ulp <= bound;
  std::printf("%-24s %9ld points  %.3Lf ulp at %.9g (bound %g)%s\n", name, w.points, w.ulp, w.at,
              bound, ok ? "" : "  FAILED");
  failures += !ok;
}

// every calls f with the floats from least to greatest, `stride` apart in the
// order of their bits, of both signs.
template <class F> void every(float least, float greatest, unsigned stride, F f) {
  for (unsigned long long b = 0; b < 1ull << 32; b += stride) {
    const float x = bits_float((unsigned)b);
    if (x >= least && x <= greatest) f(x);
  }
}

void check_exp() {
  Worst all, common;
  every(-104, 88.8f, 701, [&](float x) { see(all, x, fast_exp(x), std::exp((long double)x)); });
  for (int i = -4000000; i <= 0; i++) { // a softmax's arguments
    const float x = (float)i * 5e-6f;
    see(common, x, fast_exp(x), std::exp((long double)x));
  }
  report("fast_exp", all, 1.0);
  report("fast_exp [-20,0]", common, 1.0);
}

void check_log() {
  Worst all, one;
  const float greatest = std::numeric_limits<float>::max();
  every(1e-45f, greatest, 701, [&](float x) { see(all, x, fast_log(x), std::log((long double)x)); });
  every(0.5f, 2, 17, [&](float x) { see(one, x, fast_log(x), std::log((long double)x)); });
  report("fast_log", all, 1.0);
  report("fast_log [0.5,2]", one, 1.0);
}

void check_turns() {
  Worst sines, cosines, wide, wide_cosines;
  every(-2.1e9f, 2.1e9f, 1009, [&](float x) {
    see(sines, x, precise_sin(x), std::sin((long double)x));
    see(cosines, x, precise_cos(x), std::cos((long double)x));
  });
  // In double the bound is absolute: 1e-15 is 4.6 units of 1.
  for (int i = -2000000; i <= 2000000; i++) {
    const double x = i * 0.0500123;
    const long double want = std::sin((long double)x), other = std::cos((long double)x);
    see(wide, x, 1 + precise_sin(x) / 2, 1 + want / 2);
    see(wide_cosines, x, 1 + precise_cos(x) / 2, 1 + other / 2);
  }
  report("precise_sin float", sines, 0.501);
  report("precise_cos float", cosines, 0.501);
  report("precise_sin double", wide, 2.8);
  report("precise_cos double", wide_cosines, 2.8);
}

void check_precise_log() {
  Worst all, one;
  for (double x = std::numeric_limits<double>::min(); x < 1e300; x *= 1.00031)
    see(all, x, precise_log(x), std::log((long double)x));
  for (int i = 1; i < 4000000; i++) {
    const double x = i * 0x1p-21 * 1.0487;
    see(one, x, precise_log(x), std::log((long double)x));
    const double y = 1 - i * 0x1p-53; // the last numbers below 1
    see(one, y, precise_log(y), std::log((long double)y));
  }
  report("precise_log", all, 1.0);
  report("precise_log (0,2]", one, 1.0);
}

// A turn at once is a sine and a cosine, to the last bit.
void check_sine_cosine() {
  for (int i = -200000; i <= 200000; i++) {
    const double x = i * 1.61803398875e-4 * (i & 1 ? 1 : 5000);
    const SineCosine both = precise_sine_cosine(x);
    if (both.sine == precise_sin(x) && both.cosine == precise_cos(x)) continue;
    std::printf("precise_sine_cosine(%.17g) is not its parts  FAILED\n", x);
    failures++;
    return;
  }
}

// The draws of a block, with the arithmetic of internal/rng in long double from
// the logarithm and the angle on.
void see_normals(Worst& w, const Words& words) {
  const long double u = 1.0 - fraction(words.v[0], words.v[1]);
  const double angle = 6.283185307179586 * fraction(words.v[2], words.v[3]);
  const long double radius = std::sqrt(-2 * std::log(u));
  const Normals got = box_muller(words);
  see(w, got.v[0], got.v[0], radius * std::cos((long double)angle));
  see(w, got.v[1], got.v[1], radius * std::sin((long double)angle));
}

void check_normals() {
  Worst drawn, edges;
  for (unsigned i = 0; i < 2000000; i++) see_normals(drawn, philox(i, 1, 2, 3, 4, 5));
  // Both tails of the radius, and angles about the quarter turns.
  for (unsigned high : {0u, 1u, 0x80000000u, 0xfffffffeu, 0xffffffffu})
    for (unsigned low : {0u, 1u << 11, 0xfffff800u, 0xffffffffu})
      for (unsigned turn = 0; turn < 64; turn++)
        for (unsigned rest : {0u, 1u << 11, 0xfffff800u})
          see_normals(edges, {{low, high, rest, (turn << 26) - (turn & 1)}});
  report("box_muller", drawn, 0.501);
  report("box_muller edges", edges, 0.501);
}

void check_precise_exp() {
  Worst w;
  for (int i = -7080000; i <= 7090000; i += 7) {
    const double x = i * 1e-4;
    see(w, x, precise_exp(x), std::exp((long double)x));
  }
  report("precise_exp", w, 2.0);
}

template <class T> void equal(const char* what, T got, T want) {
  if (got == want || (std::isnan(got) && std::isnan(want))) return;
  std::printf("%s is %.9g, want %.9g  FAILED\n", what, (double)got, (double)want);
  failures++;
}

void check_edges() {
  equal("exp(0)", fast_exp(0.0f), 1.0f);
  equal("exp(-0)", fast_exp(-0.0f), 1.0f);
  equal("exp(-inf)", fast_exp(-infinity), 0.0f);
  equal("exp(-1e30)", fast_exp(-1e30f), 0.0f);
  equal("exp(-105)", fast_exp(-105.0f), 0.0f);
  equal("exp(-103.2)", fast_exp(-103.2f), 1.40129846e-45f);
  equal("exp(89)", fast_exp(89.0f), infinity);
  equal("exp(1e30)", fast_exp(1e30f), infinity);
  equal("exp(inf)", fast_exp(infinity), infinity);
  equal("exp(nan)", fast_exp(nan_value), nan_value);
  equal("sigmoid(-200)", 1 / (1 + fast_exp(200.0f)), 0.0f);
  equal("sigmoid(200)", 1 / (1 + fast_exp(-200.0f)), 1.0f);
  equal("log(1)", fast_log(1.0f), 0.0f);
  equal("log(0)", fast_log(0.0f), -infinity);
  equal("log(-1)", fast_log(-1.0f), nan_value);
  equal("log(inf)", fast_log(infinity), infinity);
  equal("log(nan)", fast_log(nan_value), nan_value);
  equal("sin(0)", precise_sin(0.0f), 0.0f);
  equal("cos(0)", precise_cos(0.0f), 1.0f);
  equal("sin(inf)", precise_sin(infinity), nan_value);
  equal("cos(nan)", precise_cos(nan_value), nan_value);
  equal("sin(1e10)", precise_sin(1e10f), nan_value);
  equal("precise_log(1)", precise_log(1.0), 0.0);
  equal("the least draw's log", precise_log(0x1p-53), -36.7368005696771013991);
  equal("a draw of zeros", box_muller({{0, 0, 0, 0}}).v[0], 0.0f);
  equal("precise_exp(0)", precise_exp(0.0), 1.0);
  equal("precise_exp(-800)", precise_exp(-800.0), 0.0);
  equal("precise_exp(800)", precise_exp(800.0), std::numeric_limits<double>::infinity());
}

} // namespace

int main() {
  check_exp();
  check_log();
  check_turns();
  check_precise_log();
  check_sine_cosine();
  check_normals();
  check_precise_exp();
  check_edges();
  if (failures) std::printf("%d checks failed\n", failures);
  return failures ? 1 : 0;
}
