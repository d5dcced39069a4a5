// Kernels that are wrong are found out.
#include "harness.h"

#include <cmath>
#include <csignal>
#include <unistd.h>

using namespace test;

namespace {

int not_numbers(const std::vector<float>& x) {
  int count = 0;
  for (const float v : x) count += std::isnan(v);
  return count;
}

// without returns what a kernel of one output leaves after it ran without an
// error.
std::vector<float> without(const char* kernel, Shape shape) {
  start();
  Memory y(64);
  OK(run(kernel, shape, Arguments().add(y)));
  return y.values();
}

void fails(const char* kernel, Shape shape, CUresult error) {
  start();
  Memory y(64);
  EXPECT(run(kernel, shape, Arguments().add(y)), error);
  // The error stays until the context is reset.
  EXPECT(cuCtxSynchronize(), error);
  OK(cuDevicePrimaryCtxReset_v2(0));
  OK(cuCtxSynchronize());
}

// touches writes element i of 100.
void touches(int i) {
  start();
  Memory y(100);
  EXPECT(run("touch", {}, Arguments().add(y).add(i)), CUDA_ERROR_ILLEGAL_ADDRESS);
}

void touches_shared(int i, unsigned bytes) {
  start();
  Memory y(100);
  EXPECT(run("touch_shared", {1, 32, bytes}, Arguments().add(y).add(i)), CUDA_ERROR_ILLEGAL_ADDRESS);
}

void loads_row(int at, CUresult error) {
  start();
  Memory y(64);
  EXPECT(run("load_row", {1, 32, 128}, Arguments().add(y).add(at)), error);
}

void copies(int from, int to, CUresult error) {
  start();
  Memory x(100), y(100);
  EXPECT(run("copy16", {1, 32, 128}, Arguments().add(x).add(y).add(from).add(to)), error);
}

// not_landed returns how many of 32 copies that are not waited for did not land.
int not_landed() {
  start();
  Memory x(std::vector<float>(32, 1.0f)), y(32);
  OK(run("early_read", {1, 32, 128}, Arguments().add(x).add(y)));
  return not_numbers(y.values());
}

} // namespace

TEST(memory_starts_as_nan, "") {
  start();
  Memory x(1000);
  CHECK(not_numbers(x.values()) == 1000);
}

TEST(missing_barrier, "") { CHECK(not_numbers(without("missing_barrier", {1, 64, 256})) == 32); }

TEST(missing_warp_barrier, "") {
  CHECK(not_numbers(without("missing_warp_barrier", {1, 32, 128})) >= 32 + 8);
}

TEST(missing_barrier_before_overwriting, "") {
  bool wrong = false;
  for (const float v : without("overwritten", {1, 64, 256})) wrong |= v != 6;
  CHECK(wrong);
}

TEST(divergent_barrier, "kernel divergent_barrier, block (0,0,0): diverged: of 64 threads 31 have "
                        "ended, 33 wait in barrier at faulty.cu:") {
  fails("divergent_barrier", {1, 64, 0}, CUDA_ERROR_LAUNCH_FAILED);
}

TEST(two_barriers, "diverged: it calls barrier at faulty.cu:") {
  fails("two_barriers", {1, 64, 0}, CUDA_ERROR_LAUNCH_FAILED);
}

TEST(partial_warp, "kernel partial_warp, block (0,0,0)") {
  fails("partial_warp", {}, CUDA_ERROR_LAUNCH_FAILED);
}

TEST(partial_warp_of_a_block, "wants all 32 lanes of the warp: 16 exist") {
  start();
  Memory x(48), y(48), z(48);
  EXPECT(run("butterfly", {1, 48, 0}, Arguments().add(x).add(y).add(z)), CUDA_ERROR_LAUNCH_FAILED);
}

TEST(mixed_warp, "diverged: it calls shuffle_") {
  fails("mixed_warp", {}, CUDA_ERROR_LAUNCH_FAILED);
}

TEST(warp_and_block, "1 wait in barrier at faulty.cu") {
  fails("warp_and_block", {}, CUDA_ERROR_LAUNCH_FAILED);
}

TEST(write_past_the_end, "kernel touch, block (0,0,0), thread (5,0,0), after its start: illegal "
                         "write at") {
  touches(1000);
}

TEST(write_before_the_start, "bytes before the 400 bytes of device memory") { touches(-1100); }

TEST(write_just_past_the_end, "something wrote 4 bytes past the end of the 400 bytes of device") {
  touches(101);
}

TEST(null_pointer, "illegal write at 0x14") {
  start();
  EXPECT(run("touch", {}, Arguments().add(CUdeviceptr(0)).add(5)), CUDA_ERROR_ILLEGAL_ADDRESS);
}

TEST(host_pointer, "argument 0 of kernel touch is") {
  start();
  float host = 0;
  EXPECT(run("touch", {}, Arguments().add(reinterpret_cast<CUdeviceptr>(&host)).add(0)),
         CUDA_ERROR_ILLEGAL_ADDRESS);
}

TEST(freed_memory, "argument 0 of kernel touch is") {
  start();
  Memory y(100);
  OK(cuMemFree_v2(y.address()));
  EXPECT(run("touch", {}, Arguments().add(y).add(0)), CUDA_ERROR_ILLEGAL_ADDRESS);
}

TEST(write_past_shared, "32 bytes past the end of the 128 bytes of shared memory") {
  touches_shared(40, 128);
}

TEST(write_just_past_shared, "wrote 4 bytes past the end of the 120 bytes of shared memory") {
  touches_shared(31, 120);
}

TEST(write_before_shared, "wrote about 8 bytes before the start of shared memory") {
  touches_shared(-2, 128);
}

TEST(no_shared_memory, "0 bytes past the end of the 0 bytes of shared memory") {
  touches_shared(0, 0);
}

TEST(copy_not_waited_for, "", "EDM_EMULATOR_COPIES=late") { CHECK(not_landed() == 32); }

TEST(copies_that_land_at_once, "", "EDM_EMULATOR_COPIES=eager") { CHECK(not_landed() == 0); }

TEST(copies_that_land_when_drawn, "") {
  const int count = not_landed();
  CHECK(count > 4 && count < 28);
}

TEST(misaligned_source, "copy_async16 at faulty.cu") { copies(1, 0, CUDA_ERROR_MISALIGNED_ADDRESS); }

TEST(misaligned_destination, "must be multiples of 16") {
  copies(0, 2, CUDA_ERROR_MISALIGNED_ADDRESS);
}

TEST(copy_past_shared, "writes to") { copies(0, 32, CUDA_ERROR_INVALID_ADDRESS_SPACE); }

TEST(misaligned_row, "load_matrices at faulty.cu") { loads_row(8, CUDA_ERROR_MISALIGNED_ADDRESS); }

TEST(row_past_shared, "reads from") { loads_row(128, CUDA_ERROR_ILLEGAL_ADDRESS); }

TEST(copy_past_global, "reads from") { copies(100, 0, CUDA_ERROR_ILLEGAL_ADDRESS); }

TEST(division_by_zero, "divides an integer by zero") {
  start();
  Memory y(32);
  EXPECT(run("divide", {}, Arguments().add(y).add(0)), CUDA_ERROR_LAUNCH_FAILED);
}

TEST(misaligned_vector, "a misaligned access") {
  start();
  Memory x(100), y(32);
  OK(run("read_quad", {}, Arguments().add(x).add(y).add(4)));
  EXPECT(run("read_quad", {}, Arguments().add(x).add(y).add(2)), CUDA_ERROR_LAUNCH_FAILED);
}

TEST(index_beyond_a_local_array, "an index beyond a local array") {
  start();
  Memory y(32);
  OK(run("local_array", {}, Arguments().add(y).add(3)));
  EXPECT(run("local_array", {}, Arguments().add(y).add(4)), CUDA_ERROR_LAUNCH_FAILED);
}

TEST(shift_by_too_many_bits, "a shift by too many bits") {
  start();
  Memory y(32);
  OK(run("shift", {}, Arguments().add(y).add(31)));
  EXPECT(run("shift", {}, Arguments().add(y).add(32)), CUDA_ERROR_LAUNCH_FAILED);
}

TEST(large_frame, "its local variables exceed") {
  start();
  Memory y(32);
  EXPECT(run("large_frame", {}, Arguments().add(y).add(65536)), CUDA_ERROR_LAUNCH_FAILED);
}

// The program's own handler still gets the program's own faults.
TEST(faults_of_the_program, "") {
  struct sigaction action {};
  action.sa_handler = [](int) { _exit(0); };
  sigaction(SIGSEGV, &action, nullptr);
  start();
  Memory x(std::vector<float>(32, 1.0f)), y(32);
  OK(run("scale", {}, Arguments().add(x).add(y).add(2)));
  CHECK(y.values()[31] == 2);
  *reinterpret_cast<volatile int*>(8) = 1;
  CHECK(!"reached");
}
