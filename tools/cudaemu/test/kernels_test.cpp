// Kernels that are right give the right numbers, in any order of execution.
#include "harness.h"

#include <cmath>
#include <cstring>

using namespace test;

namespace {

std::vector<float> numbers(size_t n) {
  std::vector<float> x(n);
  unsigned state = 12345;
  for (float& v : x) {
    state = state * 1664525u + 1013904223u;
    v = float(int(state >> 8) - (1 << 23)) / float(1 << 23);
  }
  return x;
}

float from_bits(unsigned bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

unsigned to_bits(float x) {
  unsigned bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

// round_to keeps `kept` bits of fraction, which is exact enough to tell one
// operand's place from another's.
float round_to(float x, int kept) {
  const unsigned half = 1u << (22 - kept);
  return from_bits((to_bits(x) + half) & ~(2 * half - 1));
}

bool near(float got, double want, double tolerance) { return std::fabs(got - want) <= tolerance; }

// check_product compares a matrix instruction with a plain product.
void check_product(const char* kernel, int depth_of_step, int kept) {
  start();
  const int steps = 3, depth = depth_of_step * steps;
  const std::vector<float> a = numbers(size_t(16 * depth)), b = numbers(size_t(8 * depth));
  Memory ma(a), mb(b), mc(16 * 8);
  OK(run(kernel, {}, Arguments().add(ma).add(mb).add(mc).add(steps)));
  const std::vector<float> c = mc.values();
  for (int m = 0; m < 16; m++) {
    for (int n = 0; n < 8; n++) {
      double want = 0;
      for (int k = 0; k < depth; k++) {
        want += double(round_to(a[size_t(m * depth + k)], kept)) *
                double(round_to(b[size_t(k * 8 + n)], kept));
      }
      CHECK(near(c[size_t(m * 8 + n)], want, 1e-5));
    }
  }
}

} // namespace

TEST(block_sums, "") {
  start();
  const std::vector<float> x = numbers(256 * 40);
  Memory mx(x), my(40);
  const CUfunction f = load("block_sum", "pp");
  std::vector<float> first;
  for (int repeat = 0; repeat < 10; repeat++) { // another order each time
    OK(launch(f, {40, 256, 1024}, Arguments().add(mx).add(my)));
    OK(cuCtxSynchronize());
    const std::vector<float> y = my.values();
    if (first.empty()) first = y;
    CHECK(!memcmp(y.data(), first.data(), 4 * y.size()));
  }
  for (size_t block = 0; block < 40; block++) {
    double want = 0;
    for (size_t i = 0; i < 256; i++) want += x[256 * block + i];
    CHECK(near(first[block], want, 1e-4));
  }
}

TEST(butterflies, "") {
  start();
  const std::vector<float> x = numbers(256);
  Memory mx(x), my(256), mz(256);
  OK(run("butterfly", {2, 128, 0}, Arguments().add(mx).add(my).add(mz)));
  const std::vector<float> y = my.values(), z = mz.values();
  for (size_t warp = 0; warp < 8; warp++) {
    double want = 0;
    for (size_t i = 0; i < 32; i++) want += x[32 * warp + i];
    for (size_t i = 0; i < 32; i++) {
      CHECK(near(y[32 * warp + i], want, 1e-5));
      CHECK(z[32 * warp + i] == float(want));
    }
  }
}

TEST(shuffles_by_lane, "") {
  start();
  const std::vector<float> x = numbers(32);
  Memory mx(x), md(32), mt(32);
  OK(run("shuffles", {}, Arguments().add(mx).add(md).add(mt).add(5)));
  const std::vector<float> down = md.values(), turned = mt.values();
  for (size_t i = 0; i < 32; i++) {
    CHECK(down[i] == x[i + 5 < 32 ? i + 5 : i]);
    CHECK(turned[i] == x[31 - i]);
  }
}

TEST(tf32_products, "") { check_product("product_tf32", 8, 10); }

TEST(bf16_products, "") { check_product("product_bf16", 16, 7); }

// Number n of matrix i in the input is 64 i + n, so that a word tells its places.
TEST(loaded_matrices, "") {
  start();
  std::vector<float> x(128);
  for (unsigned i = 0; i < 128; i++) x[i] = from_bits((2 * i + 1) << 16 | 2 * i);
  Memory mx(x), mp(128), mt(128);
  OK(run("matrices", {1, 32, 512}, Arguments().add(mx).add(mp).add(mt)));
  const std::vector<float> plain = mp.values(), turned = mt.values();
  for (unsigned lane = 0; lane < 32; lane++) {
    for (unsigned i = 0; i < 4; i++) {
      const unsigned row = lane / 4, pair = 2 * (lane % 4);
      const unsigned low = 64 * i + 8 * row + pair, turnedLow = 64 * i + 8 * pair + row;
      CHECK(to_bits(plain[4 * lane + i]) == ((low + 1) << 16 | low));
      CHECK(to_bits(turned[4 * lane + i]) == ((turnedLow + 8) << 16 | turnedLow));
    }
  }
}

TEST(pipelines, "") {
  start();
  const int pieces = 5, width = 256, valid = 4 * width + 128;
  const std::vector<float> x = numbers(pieces * width);
  Memory mx(x), my(width);
  OK(run("pipeline", {1, 64, 3 * 4 * width}, Arguments().add(mx).add(my).add(pieces).add(valid)));
  const std::vector<float> y = my.values();
  for (int thread = 0; thread < 64; thread++) {
    for (int j = 0; j < 4; j++) {
      float want = 0;
      for (int piece = 0; piece < pieces; piece++) {
        const int at = piece * width + width - 4 - 4 * thread;
        want += at < valid ? x[size_t(at + j)] : 0.0f;
      }
      CHECK(y[size_t(4 * thread + j)] == want);
    }
  }
}

TEST(places_in_three_dimensions, "") {
  start();
  const unsigned count = 4 * 3 * 2 * 8 * 4 * 2;
  Memory my(count);
  const CUfunction f = load("places", "p");
  Arguments arguments;
  arguments.add(my);
  OK(cuLaunchKernel(f, 4, 3, 2, 8, 4, 2, 0, nullptr, arguments.list(), nullptr));
  OK(cuCtxSynchronize());
  const std::vector<float> y = my.values();
  for (size_t i = 0; i < count; i++) CHECK(y[i] == float(i));
}

// Values whose last bits are a tie, just below and just above one, and the ends
// of the range.
TEST(conversions, "") {
  start();
  const unsigned in[] = {0x3f801000, 0x3f800fff, 0x3f803000, 0xbf801000, 0x3f808000, 0x3f818000,
                         0x3f807fff, 0x3f808001, 0x7f7fffff, 0x7f800000, 0x00000001, 0x80000000};
  const unsigned tf32[] = {0x3f802000, 0x3f800000, 0x3f804000, 0xbf802000, 0x3f808000, 0x3f818000,
                           0x3f808000, 0x3f808000, 0x7f800000, 0x7f800000, 0x00000000, 0x80000000};
  const unsigned bf16[] = {0x3f800000, 0x3f800000, 0x3f800000, 0xbf800000, 0x3f800000, 0x3f820000,
                           0x3f800000, 0x3f810000, 0x7f800000, 0x7f800000, 0x00000000, 0x80000000};
  std::vector<float> x(32);
  const size_t count = sizeof in / sizeof *in;
  for (size_t i = 0; i < count; i++) x[i] = from_bits(in[i]);
  x[count] = NAN;
  Memory mx(x), my(64);
  OK(run("bits", {}, Arguments().add(mx).add(my)));
  const std::vector<float> y = my.values();
  for (size_t i = 0; i < count; i++) {
    CHECK(to_bits(y[2 * i]) == tf32[i]);
    CHECK(to_bits(y[2 * i + 1]) == bf16[i]);
  }
  CHECK(std::isnan(y[2 * count]) && std::isnan(y[2 * count + 1]));
}
