#include "tensormap.h"

#include "driver.h"
#include "report.h"

#include <algorithm>
#include <cstring>

namespace emulator {
namespace {

constexpr uint64_t mark = 0x70616d726f736e65;

// Encoded is what the opaque bytes hold.
struct Encoded {
  uint64_t mark, base;
  uint64_t sizes[most_dimensions];
  uint64_t strides[most_dimensions - 1];
  uint32_t box[most_dimensions];
  uint8_t rank, element, swizzle;
  uint64_t sum; // of all before
};
static_assert(sizeof(Encoded) <= map_bytes, "a map has 128 bytes");

uint64_t checksum(const Encoded& e) {
  uint64_t sum = 1469598103934665603ull;
  const auto* bytes = reinterpret_cast<const unsigned char*>(&e);
  for (size_t i = 0; i < offsetof(Encoded, sum); i++) sum = (sum ^ bytes[i]) * 1099511628211ull;
  return sum;
}

// Request is the call's parameters, by the names of the driver's manual.
struct Request {
  void* map;
  int type;
  unsigned rank;
  const void* address;
  const uint64_t *sizes, *strides;
  const uint32_t *box, *element_strides;
  int interleave, swizzle, promotion, fill;
};

// element_bytes returns the size of a CUtensorMapDataType, or 0.
uint64_t element_bytes(int type) {
  constexpr uint64_t bytes[] = {1, 2, 4, 4, 8, 8, 2, 4, 8, 2, 4, 4, 4};
  return type >= 0 && type < int(sizeof bytes / sizeof *bytes) ? bytes[type] : 0;
}

int swizzle_bytes(int swizzle) { return swizzle ? 16 << swizzle : 0; }

std::string check_dimension(const Request& r, unsigned i) {
  if (!r.sizes[i] || r.sizes[i] > 1ull << 32) return format("globalDim[%u]: want 1 to 2^32", i);
  if (!r.box[i] || r.box[i] > 256) return format("boxDim[%u]: want 1 to 256", i);
  if (!r.element_strides[i] || r.element_strides[i] > 8) {
    return format("elementStrides[%u]: want 1 to 8", i);
  }
  if (r.element_strides[i] != 1) {
    return format("elementStrides[%u]: the emulated driver knows 1 only", i);
  }
  if (i == 0) return {};
  const uint64_t stride = r.strides[i - 1];
  if (stride % 16 || stride >= 1ull << 40) {
    return format("globalStrides[%u]: want a multiple of 16 below 2^40", i - 1);
  }
  const uint64_t inner = i == 1 ? element_bytes(r.type) : r.strides[i - 2];
  if (stride < r.sizes[i - 1] * inner) {
    return format("globalStrides[%u]: less than the dimension within", i - 1);
  }
  return {};
}

// check returns why a request is refused, or nothing.
std::string check(const Request& r) {
  if (!r.map || uintptr_t(r.map) % map_alignment) return "tensorMap: want 64 bytes of alignment";
  if (!element_bytes(r.type)) return "tensorDataType: unknown";
  if (!r.rank || r.rank > most_dimensions) return "tensorRank: want 1 to 5";
  if (!r.address || uintptr_t(r.address) % 16) return "globalAddress: want 16 bytes of alignment";
  if (!r.sizes || !r.box || !r.element_strides || (!r.strides && r.rank > 1)) return "no array";
  if (r.interleave) return "interleave: the emulated driver knows none";
  if (r.swizzle < 0 || r.swizzle > 3) return "swizzle: want 0 to 3";
  if (r.promotion < 0 || r.promotion > 3) return "l2Promotion: want 0 to 3";
  if (r.fill) return "oobFill: the emulated driver knows zeros only";
  for (unsigned i = 0; i < r.rank; i++) {
    const std::string problem = check_dimension(r, i);
    if (!problem.empty()) return problem;
  }
  const uint64_t inner = r.box[0] * element_bytes(r.type);
  if (inner % 16) return "boxDim[0]: want a multiple of 16 bytes";
  if (r.swizzle && inner > uint64_t(swizzle_bytes(r.swizzle))) {
    return format("boxDim[0]: %llu bytes are wider than the swizzle's %d",
                  (unsigned long long)inner, swizzle_bytes(r.swizzle));
  }
  return {};
}

void encode(const Request& r) {
  Encoded e;
  memset(&e, 0, sizeof e);
  e.mark = mark;
  e.base = uintptr_t(r.address);
  e.rank = uint8_t(r.rank);
  e.element = uint8_t(element_bytes(r.type));
  e.swizzle = uint8_t(swizzle_bytes(r.swizzle));
  for (unsigned i = 0; i < r.rank; i++) {
    e.sizes[i] = r.sizes[i];
    e.box[i] = r.box[i];
    if (i) e.strides[i - 1] = r.strides[i - 1];
  }
  e.sum = checksum(e);
  memset(r.map, 0, map_bytes);
  memcpy(r.map, &e, sizeof e);
}

} // namespace

uint64_t Tensor::extent() const {
  uint64_t last = element();
  for (int i = 0; i < rank; i++) last += (sizes[i] - 1) * strides[i];
  return last;
}

uint64_t Tensor::box_bytes() const {
  uint64_t bytes = element();
  for (int i = 0; i < rank; i++) bytes *= box[i];
  return bytes;
}

std::string read_map(const void* bytes, Tensor& tensor) {
  Encoded e;
  memcpy(&e, bytes, sizeof e);
  if (e.mark != mark || e.sum != checksum(e)) return "no bytes of cuTensorMapEncodeTiled";
  tensor = {};
  tensor.base = reinterpret_cast<unsigned char*>(e.base);
  tensor.rank = e.rank;
  tensor.swizzle = e.swizzle;
  for (int i = 0; i < e.rank; i++) {
    tensor.sizes[i] = e.sizes[i];
    tensor.box[i] = e.box[i];
    tensor.strides[i] = i ? e.strides[i - 1] : e.element;
  }
  return {};
}

void read_row(const Tensor& t, const int64_t* at, unsigned char* row) {
  memset(row, 0, t.box[0] * t.element());
  const unsigned char* from = t.base;
  for (int i = 1; i < t.rank; i++) {
    if (at[i] < 0 || at[i] >= int64_t(t.sizes[i])) return;
    from += at[i] * int64_t(t.strides[i]);
  }
  const int64_t first = std::max<int64_t>(at[0], 0);
  const int64_t end = std::min<int64_t>(at[0] + t.box[0], int64_t(t.sizes[0]));
  if (first >= end) return;
  memcpy(row + (first - at[0]) * int64_t(t.element()), from + first * int64_t(t.element()),
         size_t(end - first) * t.element());
}

EMULATOR_API cuTensorMapEncodeTiled(void* map, int type, unsigned rank, void* address,
                                    const uint64_t* sizes, const uint64_t* strides,
                                    const uint32_t* box, const uint32_t* element_strides,
                                    int interleave, int swizzle, int promotion, int fill) {
  return outside("cuTensorMapEncodeTiled", [&](Driver&) {
    const Request r = {map,        type,    rank,      address,
                       sizes,      strides, box,       element_strides,
                       interleave, swizzle, promotion, fill};
    const std::string problem = check(r);
    if (!problem.empty()) {
      report("cuTensorMapEncodeTiled: %s", problem.c_str());
      return CUDA_ERROR_INVALID_VALUE;
    }
    encode(r);
    return CUDA_SUCCESS;
  });
}

} // namespace emulator
