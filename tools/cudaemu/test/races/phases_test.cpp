// What the barriers of sm_90a order.
#include "../hopper.h"

using namespace test;

namespace {

void ends(const char* kernel, Shape shape, int argument, CUresult error) {
  start();
  Memory y(96);
  EXPECT(run_hopper(kernel, shape, Arguments().add(y).add(argument)), error);
}

void loads(int between, int waited, CUresult error) {
  start();
  const Memory x(std::vector<float>(32, 2.0f)), map = Array().map(x.address());
  Memory y(32);
  const Arguments arguments = Arguments().add(map).add(y).add(between).add(waited);
  EXPECT(run_hopper("loaded_over", {1, 32, 2048}, arguments), error);
  if (error) return;
  for (const float v : y.values()) CHECK(v == 3);
}

} // namespace

TEST(a_barrier_of_two_warps, "", HOPPER) { ends("two_of_three", {1, 96, 256}, 0, CUDA_SUCCESS); }

TEST(a_warp_apart_from_a_barrier, "nothing ", HOPPER) {
  ends("two_of_three", {1, 96, 256}, 1, CUDA_ERROR_LAUNCH_FAILED);
}

TEST(handed_on_and_back, "", HOPPER) { ends("handed_back", {1, 64, 144}, 1, CUDA_SUCCESS); }

TEST(read_without_waiting, "a race: it ", HOPPER) {
  ends("handed_back", {1, 64, 144}, 0, CUDA_ERROR_LAUNCH_FAILED);
}

TEST(a_lane_that_waits_for_all, "", HOPPER) { ends("one_waits", {1, 64, 136}, 1, CUDA_SUCCESS); }

TEST(lanes_that_did_not_wait, "a race: it ", HOPPER) {
  ends("one_waits", {1, 64, 136}, 0, CUDA_ERROR_LAUNCH_FAILED);
}

TEST(loads_behind_reads, "", HOPPER) { loads(1, 1, CUDA_SUCCESS); }

TEST(loads_over_reads, "a race: it ", HOPPER) { loads(0, 1, CUDA_ERROR_LAUNCH_FAILED); }

TEST(loads_in_flight, "a race: it ", HOPPER) { loads(1, 0, CUDA_ERROR_LAUNCH_FAILED); }
