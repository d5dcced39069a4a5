#include "warpgroup.h"

#include "report.h"
#include "shared.h"
#include "sums.h"
#include "tensormap.h"

#include <algorithm>
#include <cstring>

namespace emulator {
namespace {

constexpr int lanes_of_warp = 32;
constexpr unsigned untouched = 0x7fedcba9; // the NaN of sums that are not ready

unsigned field(unsigned long long descriptor, int bit) {
  return unsigned(descriptor >> bit & 0x3fff) << 4;
}

// width returns the bytes of the swizzle.
int width(unsigned long long descriptor) {
  constexpr int bytes[] = {0, 128, 64, 32};
  return bytes[descriptor >> 62];
}

// visit calls move(lane, number of D, place in `sums`) for a warp's part of D.
template <class Move> void visit(int columns, Move move) {
  for (int lane = 0; lane < lanes_of_warp; lane++) {
    for (int r = 0; r < columns / 2; r++) {
      const int row = lane / 4 + 8 * (r / 2 % 2);
      const int column = 8 * (r / 4) + 2 * (lane % 4) + r % 2;
      move(lane, r, row * columns + column);
    }
  }
}

} // namespace

void Products::clear() {
  groups_.clear();
  open_.clear();
  held_.clear();
  fenced_.clear();
}

// ---- operands

// check returns why a descriptor names no canonical layout, or nothing.
std::string Products::Matrix::check() const {
  const unsigned start = field(descriptor, 0), leading = field(descriptor, 16),
                 stride = field(descriptor, 32);
  if (descriptor >> 49 & 7) return "its base offset is not 0";
  const unsigned atom = unsigned(8 * width(descriptor));
  if (!atom) return {};
  // The bits that choose the row of an atom.
  const unsigned of_row = atom - unsigned(width(descriptor));
  const bool many = mn_major && count > width(descriptor) / 2;
  if (start & of_row)
    return format("it starts at %u, not in the first row of an atom of %u bytes", start, atom);
  if (stride % atom || (many && leading % atom)) {
    return format("its offsets %u and %u are no multiples of an atom of %u bytes", leading, stride,
                  atom);
  }
  return {};
}

// address returns where the piece of 16 bytes that has (mn, k) begins.
unsigned Products::Matrix::address(int mn, int k) const {
  const int wide = width(descriptor);
  const unsigned leading = field(descriptor, 16), stride = field(descriptor, 32);
  unsigned offset;
  if (!mn_major) {
    const int pitch = wide ? wide : 16;
    offset = unsigned(mn / 8) * stride + unsigned(mn % 8 * pitch);
    offset += wide ? unsigned(2 * k) : unsigned(k / 8) * leading;
  } else if (wide) {
    const int across = wide / 2;
    offset = unsigned(mn / across) * leading + unsigned(2 * (mn % across));
    offset += unsigned(k / 8) * stride + unsigned(k % 8 * wide);
  } else {
    offset = unsigned(mn / 8) * stride + unsigned(k / 8) * leading + unsigned(k % 8 * 16);
  }
  return swizzled(field(descriptor, 0) + offset, wide);
}

// read fills the elements. With check_seen it compares what threads see with what
// wgmma sees.
std::string Products::Matrix::read(SharedMemory& shared, bool check_seen) {
  elements.resize(size_t(count * depth));
  const bool k_major = !mn_major;
  const int outer = k_major ? count : depth, inner = k_major ? depth : count;
  for (int o = 0; o < outer; o++) {
    for (int i = 0; i < inner; i += 8) {
      const unsigned window = k_major ? address(first + o, i) : address(first + i, o);
      const unsigned char* from = shared.at(window);
      if (!shared.holds(from, 16)) {
        return format("it reads byte %u of the shared window, %s", window,
                      shared.describe(from).c_str());
      }
      memcpy(&elements[size_t(o * inner + i)], from, 16);
      if (check_seen && memcmp(from, shared.seen_async(from), 16)) {
        return format(
            "it reads %td bytes into shared memory what a thread wrote: async_fence and a "
            "barrier are missing between",
            ptrdiff_t(window) - ptrdiff_t(shared.window(shared.base())));
      }
    }
  }
  return {};
}

float Products::Matrix::at(int mn, int k) const {
  const size_t i = mn_major ? size_t(k * count + mn) : size_t(mn * depth + k);
  const unsigned bits = unsigned(elements[i]) << 16;
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

// ---- accumulators

std::string Products::fence(float* const* lanes, int count) {
  if (held_.count(lanes[0]))
    return "products in flight add to this accumulator: wgmma_wait comes before";
  fenced_[lanes[0]] = count;
  return {};
}

// hold takes the sums out of the lanes, if no product in flight has them.
std::string Products::hold(const Operands& o, float* const* lanes) {
  const auto fenced = fenced_.find(o.d);
  if (fenced == fenced_.end() || fenced->second != o.columns / 2) {
    return "wgmma_fence of this accumulator is missing";
  }
  const auto [at, added] = held_.insert({o.d, Accumulator()});
  Accumulator& held = at->second;
  held.products++;
  if (!added) return {};
  held.columns = o.columns;
  held.products = 1;
  held.lanes.assign(lanes, lanes + lanes_of_warp);
  held.sums.resize(size_t(rows * o.columns));
  visit(o.columns, [&](int lane, int r, int place) {
    held.sums[size_t(place)] = lanes[lane][r];
    memcpy(&lanes[lane][r], &untouched, sizeof untouched);
  });
  return {};
}

// release gives the sums back to the lanes, which must not have touched them.
std::string Products::release(float* d) {
  Accumulator& held = held_.at(d);
  bool touched = false;
  visit(held.columns, [&](int lane, int r, int place) {
    touched |= memcmp(&held.lanes[size_t(lane)][r], &untouched, sizeof untouched) != 0;
    held.lanes[size_t(lane)][r] = held.sums[size_t(place)];
  });
  held_.erase(d);
  return touched ? "its accumulator was written before the product was waited for" : "";
}

// ---- products

std::string Products::issue(const Operands& o, float* const* lanes, int row, SharedMemory& shared,
                            Site site) {
  Product p = {
      {o.a, o.mn_a, row, rows, {}}, {o.b, o.mn_b, 0, o.columns, {}}, o.d, o.accumulate, site};
  for (Matrix* m : {&p.a, &p.b}) {
    Matrix whole = *m;
    if (m == &p.a) whole.count = 64;
    std::string problem = whole.check();
    if (problem.empty()) problem = m->read(shared, true);
    if (!problem.empty()) return format("operand %c: %s", m == &p.a ? 'A' : 'B', problem.c_str());
  }
  const std::string problem = hold(o, lanes);
  if (problem.empty()) open_.push_back(std::move(p));
  return problem;
}

void Products::commit() {
  groups_.push_back(std::move(open_));
  open_.clear();
}

std::string Products::wait(int groups, float* d, SharedMemory& shared) {
  while (groups_.size() > size_t(groups)) {
    for (Product& p : groups_.front()) {
      const std::string problem = complete(p, shared);
      if (!problem.empty())
        return format("the product at %s: %s", p.site.name().c_str(), problem.c_str());
    }
    groups_.pop_front();
  }
  if (!d) return {};
  fenced_.erase(d);
  const auto held = held_.find(d);
  if (held == held_.end()) return {};
  if (!held->second.products) return release(d);
  return "products that are not waited for, or not committed, add to this accumulator";
}

std::string Products::complete(Product& p, SharedMemory& shared) {
  for (Matrix* m : {&p.a, &p.b}) {
    Matrix now = *m;
    now.read(shared, false);
    if (now.elements != m->elements) {
      return format("operand %c changed before the product was waited for", m == &p.a ? 'A' : 'B');
    }
  }
  Accumulator& to = held_.at(p.d);
  multiply(p, to);
  to.products--;
  return {};
}

// multiply adds A times B to the sums, or puts it there.
void Products::multiply(const Product& p, Accumulator& to) {
  Eight b[depth][most_columns / eight];
  for (int k = 0; k < depth; k++) {
    for (int n = 0; n < to.columns; n++) b[k][n / eight][n % eight] = p.b.at(n, k);
  }
  for (int m = 0; m < rows; m++) {
    float a[depth];
    for (int k = 0; k < depth; k++) a[k] = p.a.at(m, k);
    float* sums = &to.sums[size_t(m * to.columns)];
    for (int j = 0; j < to.columns / eight; j++) {
      Eight sum = {};
      if (p.accumulate) memcpy(&sum, sums + j * eight, sizeof sum);
      sum = add(sum, a, &b[0][j], most_columns / eight, depth);
      memcpy(sums + j * eight, &sum, sizeof sum);
    }
  }
}

std::string Products::finish() const {
  if (open_.empty() && groups_.empty()) {
    return held_.empty() ? ""
                         : "products were waited for by no wgmma_wait that names their accumulator";
  }
  const Product* first = open_.empty() ? nullptr : &open_.front();
  for (const auto& group : groups_) {
    if (!group.empty()) first = &group.front();
  }
  return first ? format("the product at %s was never waited for", first->site.name().c_str()) : "";
}

// ---- agreement of the four warps

bool Call::operator==(const Call& o) const {
  return !strcmp(name, o.name) && a == o.a && b == o.b && argument == o.argument && site == o.site;
}

void Agreement::clear() {
  calls_.clear();
  first_ = 0;
  std::fill(made_, made_ + 4, 0);
}

std::string Agreement::note(int warp, const Call& call) {
  const size_t number = made_[warp]++;
  if (number == first_ + calls_.size()) {
    calls_.push_back(call);
  } else if (const Call& other = calls_[number - first_]; !(call == other)) {
    return format("%s at %s, while another warp of the warpgroup calls %s at %s, or with other "
                  "arguments",
                  call.name, call.site.name().c_str(), other.name, other.site.name().c_str());
  }
  if (*std::min_element(made_, made_ + 4) > first_) {
    calls_.pop_front();
    first_++;
  }
  return {};
}

std::string Agreement::finish() const {
  if (calls_.empty()) return {};
  const Call& c = calls_.front();
  const long warp = std::min_element(made_, made_ + 4) - made_;
  return format("warp %ld of the warpgroup did not take part in %s at %s", warp, c.name,
                c.site.name().c_str());
}

} // namespace emulator
