// Tiles by tensor map, barriers of phases and products of warpgroups give the
// numbers of plain loops.
#include "hopper.h"

#include <algorithm>
#include <cmath>
#include <cstring>

using namespace test;

namespace {

// Layout is a canonical layout of an operand, as the PTX ISA draws it: a place for
// each index of M or N and of K, and what a descriptor says of it.
struct Layout {
  size_t count; // indices of M or N
  bool mn_major;
  size_t swizzle; // bytes: 0, 32, 64 or 128
  bool mn_first;  // MN-major: whether atoms along M or N are neighbours
  static constexpr size_t depth = 64;

  // steps is how many products of depth 16 one advance leads through.
  size_t steps() const { return mn_major || swizzle == 32 || !swizzle ? 4 : swizzle / 32; }

  size_t place(size_t mn, size_t k) const;
  size_t leading() const;
  size_t stride() const;
  size_t step() const;

private:
  size_t piece(size_t row, size_t byte) const;
};

// piece returns the byte within an atom, whose rows have the swizzle's width: of
// each 128 bytes, the 16-byte pieces change places by the number of the 128 bytes.
size_t Layout::piece(size_t row, size_t byte) const {
  const size_t linear = row * swizzle + byte, line = linear / 128;
  const size_t turned = linear / 16 % 8 ^ line % (swizzle / 16);
  return line * 128 + turned * 16 + linear % 16;
}

size_t Layout::place(size_t mn, size_t k) const {
  if (!swizzle) {
    const size_t core = (k / 8 * (count / 8) + mn / 8) * 128;
    return core + (mn_major ? k % 8 * 16 + mn % 8 * 2 : mn % 8 * 16 + k % 8 * 2);
  }
  const size_t wide = swizzle / 2, atom = 8 * swizzle;
  if (!mn_major) {
    return (k / wide * (count / 8) + mn / 8) * atom + piece(mn % 8, k % wide * 2);
  }
  const size_t number =
      mn_first ? k / 8 * (count / wide) + mn / wide : mn / wide * (depth / 8) + k / 8;
  return number * atom + piece(k % 8, mn % wide * 2);
}

size_t Layout::leading() const {
  if (!swizzle) return count / 8 * 128;
  if (!mn_major) return 16;
  return mn_first ? 8 * swizzle : depth / 8 * 8 * swizzle;
}

size_t Layout::stride() const {
  if (!swizzle) return 128;
  if (!mn_major) return 8 * swizzle;
  return mn_first ? count / (swizzle / 2) * 8 * swizzle : 8 * swizzle;
}

size_t Layout::step() const {
  if (!swizzle) return 2 * leading();
  if (mn_major) return 2 * stride();
  return swizzle == 32 ? count / 8 * 256 : 32;
}

void check_product(int n, bool mn_a, bool mn_b, size_t swizzle) {
  const Layout a = {64, mn_a, swizzle, true}, b = {size_t(n), mn_b, swizzle, false};
  const size_t steps = std::min(a.steps(), b.steps()), depth = 16 * steps;
  const std::vector<float> x = draw(64 * depth, 1), y = draw(size_t(n) * depth, 2);
  const size_t b_at = 2 * 64 * Layout::depth;
  Words words(b_at + 2 * size_t(n) * Layout::depth);
  for (size_t k = 0; k < depth; k++) {
    for (size_t m = 0; m < 64; m++) words.put(a.place(m, k), x[m * depth + k]);
    for (size_t j = 0; j < size_t(n); j++) words.put(b_at + b.place(j, k), y[j * depth + k]);
  }
  Memory operands(words.floats()), out(size_t(64 * n));
  const std::string name =
      "wgmma" + std::to_string(n) + (mn_a ? "_mn" : "_k") + (mn_b ? "_mn" : "_k");
  const int code[] = {0, 3, 2, 0, 1}; // of the swizzle in a descriptor, by 32 bytes
  Arguments arguments;
  arguments.add(operands)
      .add(out)
      .add(int(words.size() / 4))
      .add(int(steps))
      .add(code[swizzle / 32]);
  arguments.add(int(a.leading())).add(int(a.stride())).add(int(a.step())).add(int(b_at / 4));
  arguments.add(int(b.leading())).add(int(b.stride())).add(int(b.step()));
  OK(run_hopper(name, {1, 128, unsigned(words.size()) + 1024}, arguments));
  const std::vector<float> got = out.values();
  for (size_t m = 0; m < 64; m++) {
    for (size_t j = 0; j < size_t(n); j++) {
      double want = 0;
      for (size_t k = 0; k < depth; k++)
        want += double(x[m * depth + k]) * double(y[j * depth + k]);
      CHECK(std::fabs(got[m * size_t(n) + j] - want) < 1e-4);
    }
  }
}

void check_products(int n) {
  start();
  for (const size_t swizzle : {0, 32, 64, 128}) {
    for (const int majors : {0, 1, 2, 3}) check_product(n, majors & 1, majors & 2, swizzle);
  }
}

// check_tile compares a box of an array [3][7][9][72] with a plain loop.
void check_tile(Array array, size_t swizzle, const int (&at)[4]) {
  const size_t sizes[4] = {72, 9, 7, 3};
  size_t stride = 2, bytes = 2;
  for (int i = 0; i < 4; i++) {
    array.sizes[i] = sizes[i];
    bytes *= sizes[i];
    stride *= sizes[i];
    if (i < 3) array.strides[i] = stride;
  }
  const std::vector<float> x = draw(bytes / 2, 3);
  Words words(bytes);
  for (size_t i = 0; i < x.size(); i++) words.put(2 * i, x[i]);
  Memory data(words.floats()), map = array.map(data.address()), out(array.box_bytes() / 4);
  OK(run_hopper("tile", {1, 128, unsigned(array.box_bytes()) + 1024 + 8},
                Arguments()
                    .add(map)
                    .add(out)
                    .add(int(array.box_bytes() / 4))
                    .add(at[0])
                    .add(at[1])
                    .add(at[2])
                    .add(at[3])));
  const Words got = Words::from(out.values());
  const size_t row = 2 * array.box[0];
  for (size_t byte = 0; byte < array.box_bytes(); byte += 2) {
    size_t rest = byte / 2, place = 0, pitch = 1;
    bool inside = true;
    for (int i = 0; i < 4; i++) {
      const long c = at[i] + long(rest % array.box[i]);
      inside &= c >= 0 && c < long(sizes[i]);
      place += size_t(c) * pitch;
      pitch *= sizes[i];
      rest /= array.box[i];
    }
    size_t lies = byte;
    if (swizzle) {
      CHECK(row == swizzle);
      const size_t line = byte / 128, turned = byte / 16 % 8 ^ line % (swizzle / 16);
      lies = line * 128 + turned * 16 + byte % 16;
    }
    CHECK(got.get(lies) == (inside ? x[place] : 0.0f));
  }
}

void check_tiles(uint32_t channels, size_t swizzle, int code) {
  start();
  Array array;
  array.box[0] = channels;
  array.box[1] = 5;
  array.box[2] = 4;
  array.box[3] = 2;
  array.swizzle = code;
  check_tile(array, swizzle, {0, 0, 0, 0});
  check_tile(array, swizzle, {8, 2, 3, 1});
  check_tile(array, swizzle, {40, -2, -1, 2}); // crosses four borders
  check_tile(array, swizzle, {-8, 6, 5, -1});
  check_tile(array, swizzle, {72, 0, 0, 0}); // outside
  check_tile(array, swizzle, {0, -100, 100, 0});
}

void check_pipeline() {
  start();
  const size_t depth = 5 * 64, rows = 128;
  const std::vector<float> x = draw(rows * depth, 4), y = draw(64 * depth, 5);
  Words a(2 * x.size()), b(2 * y.size());
  for (size_t i = 0; i < x.size(); i++) a.put(2 * i, x[i]);
  for (size_t i = 0; i < y.size(); i++) b.put(2 * i, y[i]);
  Memory ma(a.floats()), mb(b.floats()), out(rows * 64);
  Array array;
  array.swizzle = 3;
  array.sizes[0] = depth;
  array.sizes[1] = rows;
  array.box[1] = 64;
  array.strides[0] = 2 * depth;
  array.strides[1] = array.strides[2] = a.size();
  Memory map_a = array.map(ma.address());
  array.sizes[1] = 64;
  Memory map_b = array.map(mb.address());
  OK(run_hopper("pipelined_product", {2, 256, 4 * 8192 + 32 + 1024},
                Arguments().add(map_a).add(map_b).add(out).add(int(depth))));
  const std::vector<float> got = out.values();
  for (size_t m = 0; m < rows; m++) {
    for (size_t n = 0; n < 64; n++) {
      double want = 0;
      for (size_t k = 0; k < depth; k++)
        want += double(x[m * depth + k]) * double(y[n * depth + k]);
      CHECK(std::fabs(got[m * 64 + n] - want) < 1e-3);
    }
  }
}

} // namespace

TEST(warpgroup_products_of_64, "", HOPPER) { check_products(64); }
TEST(warpgroup_products_of_128, "", HOPPER) { check_products(128); }
TEST(warpgroup_products_of_256, "", HOPPER) { check_products(256); }

TEST(tiles, "", HOPPER) { check_tiles(24, 0, 0); }
TEST(tiles_swizzled_by_32, "", HOPPER) { check_tiles(16, 32, 1); }
TEST(tiles_swizzled_by_64, "", HOPPER) { check_tiles(32, 64, 2); }
TEST(tiles_swizzled_by_128, "", HOPPER) { check_tiles(64, 128, 3); }

TEST(pipelined_products, "", HOPPER) { check_pipeline(); }
TEST(pipelined_products_in_another_order, "", HOPPER, "EDM_EMULATOR_SEED=7") { check_pipeline(); }
