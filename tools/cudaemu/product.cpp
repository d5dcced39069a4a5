#include "product.h"

#include <cstring>

#include "sums.h"

// In the layouts a lane belongs to group lane/4 and is member lane%4 of it.
namespace emulator {
namespace {

constexpr int rows = 16, columns = eight;

float from_bits(unsigned bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

// The tensor cores read the upper 19 bits of a tf32 operand.
float from_tf32(unsigned bits) { return from_bits(bits & 0xffffe000u); }

float low_bf16(unsigned pair) { return from_bits(pair << 16); }
float high_bf16(unsigned pair) { return from_bits(pair & 0xffff0000u); }

// visit calls move(part of D, fragment) for each pair of neighbouring numbers.
template <class Move> void visit(const Fragments* lanes, Eight* d, Move move) {
  for (int lane = 0; lane < warp_size; lane++) {
    float* pair = reinterpret_cast<float*>(d) + lane / 4 * columns + 2 * (lane % 4);
    move(pair, lanes[lane].d);
    move(pair + 8 * columns, lanes[lane].d + 2);
  }
}

// accumulate adds A times B to D.
template <int depth>
void accumulate(const Fragments* lanes, const float (&a)[rows][depth], const Eight (&b)[depth]) {
  Eight d[rows];
  visit(lanes, d, [](float* to, const float* from) { memcpy(to, from, 2 * sizeof *to); });
  for (int m = 0; m < rows; m++) d[m] = add(d[m], a[m], b, 1, depth);
  visit(lanes, d, [](const float* from, float* to) { memcpy(to, from, 2 * sizeof *to); });
}

} // namespace

void multiply_tf32(const Fragments* lanes) {
  float a[rows][8];
  Eight b[8];
  for (int lane = 0; lane < warp_size; lane++) {
    const int group = lane / 4, member = lane % 4;
    const Fragments& f = lanes[lane];
    a[group][member] = from_tf32(f.a[0]);
    a[group + 8][member] = from_tf32(f.a[1]);
    a[group][member + 4] = from_tf32(f.a[2]);
    a[group + 8][member + 4] = from_tf32(f.a[3]);
    b[member][group] = from_tf32(f.b[0]);
    b[member + 4][group] = from_tf32(f.b[1]);
  }
  accumulate<8>(lanes, a, b);
}

void multiply_bf16(const Fragments* lanes) {
  float a[rows][16];
  Eight b[16];
  for (int lane = 0; lane < warp_size; lane++) {
    const int group = lane / 4, member = lane % 4;
    const Fragments& f = lanes[lane];
    for (int r = 0; r < 4; r++) {
      const int row = group + 8 * (r % 2), k = 2 * member + 8 * (r / 2);
      a[row][k] = low_bf16(f.a[r]);
      a[row][k + 1] = high_bf16(f.a[r]);
    }
    for (int r = 0; r < 2; r++) {
      const int k = 2 * member + 8 * r;
      b[k][group] = low_bf16(f.b[r]);
      b[k + 1][group] = high_bf16(f.b[r]);
    }
  }
  accumulate<16>(lanes, a, b);
}

void move_matrices(const Row* lanes, bool transposed) {
  for (int lane = 0; lane < warp_size; lane++) {
    const int group = lane / 4, member = lane % 4;
    for (int matrix = 0; matrix < 4; matrix++) {
      const Row* rows = lanes + 8 * matrix;
      unsigned short pair[2];
      for (int i = 0; i < 2; i++) {
        const int row = transposed ? 2 * member + i : group;
        const int column = transposed ? group : 2 * member + i;
        memcpy(&pair[i], rows[row].from + 2 * column, 2);
      }
      memcpy(&lanes[lane].words[matrix], pair, sizeof pair);
    }
  }
}

} // namespace emulator
