// The matrix products of a warpgroup, as one of its warps sees them: its 16 rows of
// D and A, and all of B.
#pragma once

#include "async.h"
#include "site.h"

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

namespace emulator {

class SharedMemory;

// Products are those of one warp. Their operands are read when the product is
// issued and again when it is waited for, and must be the same; sums are written
// when a wait names them, and are NaN before. Methods return what is
// wrong, or nothing.
class Products {
public:
  void clear();

  // fence lets products add to the accumulators, of `count` numbers a lane.
  std::string fence(float* const* lanes, int count);
  // issue starts a product. `operands` is a lane's, `lanes` has all lanes' D, and
  // `row` is the warp's first of A.
  std::string issue(const Operands& operands, float* const* lanes, int row, SharedMemory& shared,
                    Site site);
  void commit();
  // wait completes groups until at most that many are in flight. d is the first
  // lane's accumulator that is used next, and only then gets its sums, or nullptr.
  std::string wait(int groups, float* d, SharedMemory& shared);
  // finish is for the end of the block.
  std::string finish() const;

private:
  static constexpr int rows = 16, depth = 16, most_columns = 256;

  // Matrix is an operand's part, row by row, in pieces of 16 bytes.
  struct Matrix {
    unsigned long long descriptor;
    bool mn_major;
    int first, count; // indices of M or N
    std::vector<uint16_t> elements;
    std::string read(SharedMemory& shared, bool check_seen);
    std::string check() const;
    unsigned address(int mn, int k) const; // of a piece, in the shared window
    float at(int mn, int k) const;
  };
  struct Product {
    Matrix a, b;
    float* d; // the first lane's
    bool accumulate;
    Site site;
  };
  // Accumulator is a D that products in flight add to.
  struct Accumulator {
    int columns;
    std::vector<float*> lanes;
    std::vector<float> sums; // [rows][columns]
    int products; // that are in flight
  };

  std::string hold(const Operands& operands, float* const* lanes);
  std::string complete(Product& p, SharedMemory& shared);
  static void multiply(const Product& p, Accumulator& to);
  std::string release(float* d);

  std::deque<std::vector<Product>> groups_; // committed
  std::vector<Product> open_;
  std::map<float*, Accumulator> held_; // by the first lane's D
  std::map<const float*, int> fenced_; // their lengths, of those that products may add to
};

// Call is what the four warps of a warpgroup must do alike.
struct Call {
  const char* name;
  unsigned long long a, b;
  int argument;
  Site site;
  bool operator==(const Call& o) const;
};

// Agreement compares the warps' calls.
class Agreement {
public:
  void clear();
  // note records the next call of a warp, 0 to 3, and returns what is wrong.
  std::string note(int warp, const Call& call);
  std::string finish() const;

private:
  std::deque<Call> calls_; // from `first_` on
  size_t first_ = 0;
  size_t made_[4] = {};
};

} // namespace emulator
