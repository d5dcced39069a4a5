// What device.h asks of the runtime.
#include "accesses.h"
#include "block.h"
#include "product.h"
#include "report.h"
#include "settings.h"

#include <cstdint>

namespace emulator {
namespace {

Collective collective(Shuffle kind) {
  switch (kind) {
  case Shuffle::exclusive_or: return Collective::shuffle_xor;
  case Shuffle::down: return Collective::shuffle_down;
  case Shuffle::index: break;
  }
  return Collective::shuffle;
}

// source returns the lane that a shuffle reads.
unsigned source(Shuffle kind, unsigned lane, int by) {
  switch (kind) {
  case Shuffle::exclusive_or: return (lane ^ unsigned(by)) % warp_size;
  case Shuffle::down: return lane + unsigned(by) < warp_size ? lane + unsigned(by) : lane;
  case Shuffle::index: break;
  }
  return unsigned(by);
}

} // namespace

void block_barrier(const char* file, int line) {
  Lane& lane = *running();
  lane.block->barrier(lane, {file, line});
}

void lane_barrier(const char* file, int line) {
  Lane& lane = *running();
  if (lane.block->meet(lane, Collective::barrier, 0, {file, line})) {
    follow_warp_barrier(lane);
    lane.block->finish_meeting(lane);
  }
}

unsigned long long shuffle_bits(Shuffle kind, unsigned long long bits, int by, const char* file,
                                int line) {
  Lane& lane = *running();
  const Collective operation = collective(kind);
  if (by < 0 || by >= warp_size) {
    lane.block->fail(CUDA_ERROR_LAUNCH_FAILED,
                     format("shuffle at %s by %d: want 0 to 31", Site{file, line}.name().c_str(),
                            by));
  }
  // Lanes may name different sources, but not different masks or distances.
  const int argument = kind == Shuffle::index ? 0 : by;
  unsigned long long* values = lane.warp->exchange[lane.warp->parity];
  values[lane.index] = bits;
  if (lane.block->meet(lane, operation, argument, {file, line})) lane.block->finish_meeting(lane);
  return values[source(kind, lane.index, by)];
}

void warp_product(Product kind, float* d, const unsigned* a, const unsigned* b, const char* file,
                  int line) {
  Lane& lane = *running();
  const bool tf32 = kind == Product::tf32;
  lane.warp->fragments[lane.index] = {d, a, b};
  if (!lane.block->meet(lane, tf32 ? Collective::mma_tf32 : Collective::mma_bf16, 0, {file, line})) {
    return;
  }
  if (tf32) {
    multiply_tf32(lane.warp->fragments);
  } else {
    multiply_bf16(lane.warp->fragments);
  }
  lane.block->finish_meeting(lane);
}

void matrix_load(bool transposed, unsigned* words, unsigned row, const char* file, int line) {
  Lane& lane = *running();
  const unsigned char* from = lane.block->shared().at(row);
  lane.block->check_row(from, {file, line});
  note_read(from, 16, __builtin_return_address(0));
  lane.warp->rows[lane.index] = {words, from};
  if (!lane.block->meet(lane, Collective::load_matrices, transposed, {file, line})) return;
  move_matrices(lane.warp->rows, transposed);
  lane.block->finish_meeting(lane);
}

unsigned window_address(const void* shared) { return running()->block->shared().window(shared); }

void copy_issue(void* shared, const void* global, int bytes, bool valid, const char* file,
                int line) {
  Lane& lane = *running();
  lane.block->issue(lane, {shared, global, bytes, valid}, {file, line});
  note_copy(shared, valid ? global : nullptr, size_t(bytes), __builtin_return_address(0));
}

void copy_close(const char*, int) { running()->copies.commit(); }

void copy_land(int groups, const char*, int) { running()->copies.land(size_t(groups)); }

bool Block::at_once() {
  switch (settings().copies) {
  case Moment::late: return false;
  case Moment::eager: return true;
  case Moment::drawn: break;
  }
  return random_.below(2);
}

void Block::check_row(const unsigned char* row, Site site) {
  if (reinterpret_cast<uintptr_t>(row) % 16 != 0) {
    fail(CUDA_ERROR_MISALIGNED_ADDRESS,
         format("load_matrices at %s from %p: the address of a row must be a multiple of 16",
                site.name().c_str(), row));
  }
  if (!shared_.holds(row, 16)) {
    const std::string where = shared_.describe(row);
    fail(CUDA_ERROR_ILLEGAL_ADDRESS,
         format("load_matrices at %s reads from %p, %s", site.name().c_str(), row,
                where.empty() ? "not in shared memory" : where.c_str()));
  }
}

void Block::issue(Lane& lane, Copy copy, Site site) {
  const auto misaligned = [&](const void* p) {
    return reinterpret_cast<uintptr_t>(p) % uintptr_t(copy.bytes) != 0;
  };
  if (misaligned(copy.shared) || (copy.valid && misaligned(copy.global))) {
    fail(CUDA_ERROR_MISALIGNED_ADDRESS,
         format("copy_async%d at %s from %p to %p: both addresses must be multiples of %d",
                copy.bytes, site.name().c_str(), copy.global, copy.shared, copy.bytes));
  }
  if (!shared_.holds(copy.shared, size_t(copy.bytes))) {
    const std::string where = shared_.describe(copy.shared);
    fail(CUDA_ERROR_INVALID_ADDRESS_SPACE,
         format("copy_async%d at %s writes to %p, %s", copy.bytes, site.name().c_str(),
                copy.shared, where.empty() ? "not in shared memory" : where.c_str()));
  }
  const size_t offset = size_t(static_cast<const unsigned char*>(copy.global) - recent_.base);
  if (copy.valid && (offset > recent_.bytes || recent_.bytes - offset < size_t(copy.bytes))) {
    const Allocation* found = find_allocation(copy.global, size_t(copy.bytes));
    if (!found) {
      fail(CUDA_ERROR_ILLEGAL_ADDRESS,
           format("copy_async%d at %s reads from %p, %s", copy.bytes, site.name().c_str(),
                  copy.global, describe_address(copy.global).c_str()));
    }
    recent_ = *found;
  }
  if (at_once()) copy.land();
  lane.copies.issue(copy);
}

} // namespace emulator
