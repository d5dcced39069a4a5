// Wrong use of what sm_90a adds is found out.
#include "hopper.h"
#include "hopperfaults.h"

#include <cmath>

using namespace test;

namespace {

Memory data() { return Memory(std::vector<float>(64, 1.5f)); }

// loads returns what faulty_load writes.
std::vector<float> loads(int fault, CUresult wanted, const Array& array = Array()) {
  start();
  const Memory x = data(), map = array.map(x.address());
  Memory y(64);
  EXPECT(run_hopper("faulty_load", {1, 64, 4096}, Arguments().add(map).add(y).add(fault)), wanted);
  return wanted ? std::vector<float>() : y.values();
}

bool all(const std::vector<float>& x, float wanted) {
  bool same = !x.empty();
  for (const float v : x) same &= std::isnan(wanted) ? std::isnan(v) : v == wanted;
  return same;
}

std::vector<float> multiplies(int fault, CUresult wanted) {
  start();
  Memory y(64);
  EXPECT(run_hopper("faulty_product", {1, 128, 8192 + 1024}, Arguments().add(y).add(fault)),
         wanted);
  return wanted ? std::vector<float>() : y.values();
}

constexpr CUresult failed_launch = CUDA_ERROR_LAUNCH_FAILED;

// encodes tells whether a changed description is taken.
template <class Change> bool encodes(Change change) {
  Array array;
  alignas(64) unsigned char map[128];
  const CUdeviceptr address = change(array);
  const CUresult result = array.encode(address, map);
  CHECK(result == CUDA_SUCCESS || result == CUDA_ERROR_INVALID_VALUE);
  return result == CUDA_SUCCESS;
}

} // namespace

// ---- loads and barriers

TEST(load_without_fault, "", HOPPER) { CHECK(all(loads(0, CUDA_SUCCESS), 1.5f)); }

TEST(load_of_more_than_expected, "copies 128 bytes, 96 are announced", HOPPER) {
  loads(less_expected, failed_launch);
}

TEST(load_of_less_than_expected,
     "deadlock: of 64 threads 0 have ended, 64 wait in mbarrier_wait at hopperfaulty.cu:", HOPPER) {
  loads(more_expected, failed_launch);
}

TEST(bytes_that_never_come, "lacks 0 of 1 arrivals and 128 of 256 bytes in phase 0", HOPPER) {
  loads(more_expected, failed_launch);
}

TEST(arrival_that_never_comes, "lacks 1 of 2 arrivals and 0 of 128 bytes", HOPPER) {
  loads(arrival_missing, failed_launch);
}

TEST(tile_out_of_line, "which is no multiple of 128", HOPPER) {
  loads(misaligned_tile, failed_launch);
}

TEST(swizzled_tile_out_of_line, "which is no multiple of 1024", HOPPER) {
  Array array;
  array.swizzle = 3;
  loads(misaligned_tile, failed_launch, array);
}

TEST(rows_narrower_than_the_swizzle, "rows of 64 bytes with a swizzle of 128", HOPPER) {
  Array array;
  array.swizzle = 3;
  array.box[0] = 32;
  loads(0, failed_launch, array);
}

TEST(map_of_two_dimensions, "the map has 2 dimensions", HOPPER) {
  Array array;
  array.rank = 2;
  loads(0, failed_launch, array);
}

TEST(map_beyond_its_array, "the map's array of 256 bytes is at", HOPPER) {
  start();
  Array array;
  array.sizes[1] = 2;
  array.strides[1] = array.strides[2] = 256;
  Memory x(48), y(64);
  const Memory map = array.map(x.address());
  EXPECT(run_hopper("faulty_load", {1, 64, 4096}, Arguments().add(map).add(y).add(0)),
         failed_launch);
}

TEST(map_not_acquired_by_the_block, "called tensormap_acquire for the map", HOPPER) {
  loads(map_not_acquired, failed_launch);
}

TEST(map_of_other_bytes, "no bytes of cuTensorMapEncodeTiled", HOPPER) {
  start();
  Memory map(std::vector<float>(32, 1.0f)), y(64);
  EXPECT(run_hopper("faulty_load", {1, 64, 4096}, Arguments().add(map).add(y).add(0)),
         failed_launch);
}

TEST(barrier_not_known_to_copies, "mbarrier_init_fence is missing", HOPPER) {
  loads(init_not_published, failed_launch);
}

TEST(load_not_waited_for, "", HOPPER) { CHECK(all(loads(not_waited, CUDA_SUCCESS), NAN)); }

TEST(wait_for_the_phase_before, "", HOPPER) { CHECK(all(loads(wrong_parity, CUDA_SUCCESS), NAN)); }

TEST(tile_loaded_again, "", HOPPER) { CHECK(all(loads(loaded_again, CUDA_SUCCESS), NAN)); }

TEST(two_loads_to_one_place, "another copy in flight, to the mbarrier made at", HOPPER) {
  loads(loaded_twice, failed_launch);
}

TEST(overwritten_barrier, "was overwritten", HOPPER) { loads(barrier_overwritten, failed_launch); }

TEST(barrier_never_made, "no mbarrier was made at", HOPPER) { loads(no_barrier, failed_launch); }

TEST(arrival_too_many, "it arrives in a phase that has all its arrivals", HOPPER) {
  loads(arrives_twice, failed_launch);
}

TEST(tile_beyond_shared_memory, "a box of 128 bytes, ", HOPPER) {
  loads(beyond_shared, failed_launch);
}

TEST(named_barrier_with_a_warp_missing, "96 wait in named_barrier(3, 128) at hopperfaulty.cu",
     HOPPER) {
  start();
  Memory y(64);
  EXPECT(run_hopper("three_of_four", {1, 128, 0}, Arguments().add(y)), failed_launch);
}

// ---- products

TEST(product_without_fault, "", HOPPER) { CHECK(all(multiplies(0, CUDA_SUCCESS), 16)); }

TEST(accumulator_not_fenced, "wgmma_fence of this accumulator is missing", HOPPER) {
  multiplies(no_fence, failed_launch);
}

TEST(operand_not_fenced,
     "into shared memory what a thread wrote: async_fence and a barrier are missing", HOPPER) {
  multiplies(no_async_fence, failed_launch);
}

TEST(product_not_waited_for, "was never waited for", HOPPER) { multiplies(no_wait, failed_launch); }

TEST(product_not_committed, "not committed, add to this accumulator", HOPPER) {
  multiplies(no_commit, failed_launch);
}

TEST(product_waited_for_too_early, "products that are not waited for", HOPPER) {
  multiplies(too_early, failed_launch);
}

TEST(accumulator_that_no_wait_names, "by no wgmma_wait that names their accumulator", HOPPER) {
  multiplies(accumulator_not_named, failed_launch);
}

TEST(accumulator_written_in_flight, "its accumulator was written before", HOPPER) {
  multiplies(accumulator_written, failed_launch);
}

TEST(operand_overwritten_in_flight, "operand A changed before the product was waited for", HOPPER) {
  multiplies(operand_overwritten, failed_launch);
}

TEST(warp_of_a_warpgroup_missing, "warp 0 of the warpgroup did not take part in wgmma_fence",
     HOPPER) {
  multiplies(warp_missing, failed_launch);
}

TEST(lanes_with_other_operands, "the lanes of a warp name different operands", HOPPER) {
  multiplies(lanes_differ, failed_launch);
}

TEST(warps_with_other_operands, "while another warp of the warpgroup calls wgmma_bf16", HOPPER) {
  multiplies(warps_differ, failed_launch);
}

TEST(operand_inside_an_atom, "not in the first row of an atom of 1024 bytes", HOPPER) {
  multiplies(inside_an_atom, failed_launch);
}

TEST(operand_with_an_odd_stride, "are no multiples of an atom of 1024 bytes", HOPPER) {
  multiplies(odd_stride, failed_launch);
}

TEST(operand_outside_shared_memory, "of the shared window", HOPPER) {
  multiplies(outside_shared, failed_launch);
}

TEST(warps_with_other_registers, "fewer_registers or more_registers at hopperfaulty.cu", HOPPER) {
  multiplies(registers_differ, failed_launch);
}

TEST(too_few_warps_for_a_warpgroup, "of a block of 96 threads belongs to no warpgroup", HOPPER) {
  start();
  Memory y(64);
  EXPECT(run_hopper("part_of_a_warpgroup", {1, 96, 0}, Arguments().add(y)), failed_launch);
}

// ---- maps

TEST(maps_that_are_refused, "cuTensorMapEncodeTiled: boxDim[0]: want a multiple of 16 bytes",
     HOPPER) {
  start();
  const CUdeviceptr at = 4096;
  CHECK(encodes([&](Array&) { return at; }));
  CHECK(!encodes([&](Array&) { return at + 8; }));
  CHECK(!encodes([&](Array& a) { return a.box[0] = 60, at; }));
  CHECK(!encodes([&](Array& a) { return a.box[1] = 257, at; }));
  CHECK(!encodes([&](Array& a) { return a.sizes[2] = 0, at; }));
  CHECK(!encodes([&](Array& a) { return a.strides[0] = 136, at; }));
  CHECK(!encodes([&](Array& a) { return a.strides[1] = 112, at; }));
  CHECK(!encodes([&](Array& a) { return a.strides[2] = 1ull << 40, at; }));
  CHECK(!encodes([&](Array& a) { return a.swizzle = 2, at; }));
  CHECK(!encodes([&](Array& a) { return a.steps[0] = 9, at; }));
  CHECK(!encodes([&](Array& a) { return a.rank = 6, at; }));
  CHECK(!encodes([&](Array& a) { return a.type = 13, at; }));
  CHECK(!encodes([&](Array& a) { return a.fill = 1, at; }));
  alignas(64) unsigned char map[256];
  EXPECT(Array().encode(at, map + 16), CUDA_ERROR_INVALID_VALUE);
}
