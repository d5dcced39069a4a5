// Accesses of kernels that are compiled to be checked one by one.
#include "../harness.h"

#include <cstring>

using namespace test;

namespace {

constexpr CUresult failed_launch = CUDA_ERROR_LAUNCH_FAILED;

// ends runs a kernel of an output, and an int if there is one, and wants its error.
void ends(const char* kernel, Shape shape, CUresult error) {
  start();
  Memory y(64);
  EXPECT(run(kernel, shape, Arguments().add(y)), error);
}
void ends(const char* kernel, Shape shape, int argument, CUresult error) {
  start();
  Memory y(64);
  EXPECT(run(kernel, shape, Arguments().add(y).add(argument)), error);
}

// copies runs copied_by_another.
void copies(int waited, int after, CUresult error) {
  start();
  Memory x(std::vector<float>(32, 1.0f)), y(32);
  EXPECT(run("copied_by_another", {1, 32, 128}, Arguments().add(x).add(y).add(waited).add(after)),
         error);
}

// copies_over runs copied_over.
void copies_over(int between, CUresult error) {
  start();
  Memory x(std::vector<float>(32, 1.0f)), y(32);
  EXPECT(run("copied_over", {1, 32, 128}, Arguments().add(x).add(y).add(between)), error);
}

// sums runs sum_from on 50 numbers, of which the first are written.
void sums(int n, CUresult error) {
  start();
  std::vector<float> values(50, 1.0f);
  const unsigned unwritten = 0x7fedfeed;
  memcpy(&values[49], &unwritten, sizeof unwritten);
  Memory x(values), y(32);
  EXPECT(run("sum_from", {}, Arguments().add(x).add(y).add(n)), error);
}

} // namespace

TEST(two_warps_write, "racy.cu:7, byte ") { ends("both_write", {1, 64, 128}, failed_launch); }

TEST(a_write_after_another, "wrote at racy.cu:7; nothing orders the two") {
  ends("both_write", {1, 64, 128}, failed_launch);
}

TEST(reads_that_are_late, "a race: it ") { ends("read_late", {1, 64, 256}, 0, failed_launch); }

TEST(reads_before_a_barrier, "") { ends("read_late", {1, 64, 256}, 1, CUDA_SUCCESS); }

TEST(lanes_that_read_late, "a race: it ") {
  ends("lanes_read_late", {1, 32, 128}, 0, failed_launch);
}

TEST(lanes_before_a_barrier, "") { ends("lanes_read_late", {1, 32, 128}, 1, CUDA_SUCCESS); }

TEST(shuffles_order_nothing, "which thread (") { ends("shuffled", {1, 32, 128}, failed_launch); }

TEST(warps_order_themselves, "a race: it ") { ends("warp_only", {1, 64, 256}, failed_launch); }

TEST(copies_in_flight, "copies to and has not waited for at device.h") {
  copies(0, 1, failed_launch);
}

TEST(copies_of_others, "a race: it ") { copies(1, 0, failed_launch); }

TEST(copies_after_a_barrier, "") { copies(1, 1, CUDA_SUCCESS); }

TEST(copies_over_reads, "a race: it ") { copies_over(0, failed_launch); }

TEST(copies_behind_reads, "") { copies_over(1, CUDA_SUCCESS); }

TEST(blocks_apart, "") {
  start();
  Memory x(std::vector<float>(96, 1.0f)), y(96);
  OK(run("neighbours", {3, 32, 0}, Arguments().add(x).add(y)));
  OK(run("neighbours", {3, 32, 0}, Arguments().add(y).add(x))); // what another launch wrote
  CHECK(x.values()[5] == 3);
}

TEST(blocks_in_place, " of another block ") {
  start();
  Memory x(std::vector<float>(96, 1.0f));
  EXPECT(run("neighbours", {3, 32, 0}, Arguments().add(x).add(x)), failed_launch);
}

TEST(blocks_write_the_same, " of another block wrote at racy.cu:") {
  ends("written_twice", {2, 32, 0}, failed_launch);
}

TEST(global_memory_without_a_barrier, "bytes of device memory at ") {
  start();
  Memory y(std::vector<float>(64, 0.0f));
  EXPECT(run("through_global", {1, 64, 0}, Arguments().add(y).add(0)), failed_launch);
}

TEST(global_memory_and_a_barrier, "") { ends("through_global", {1, 64, 0}, 1, CUDA_SUCCESS); }

TEST(halves_of_words, "") { ends("halves", {1, 64, 128}, CUDA_SUCCESS); }

TEST(written_numbers, "") { sums(49, CUDA_SUCCESS); }

TEST(a_number_not_written, "bytes into the 200 bytes of device memory") { sums(50, failed_launch); }

TEST(a_number_past_the_end, "the end is 4 bytes past that of the 200 bytes there") {
  start();
  Memory x(std::vector<float>(50, 1.0f)), y(32);
  EXPECT(run("sum_from", {}, Arguments().add(x).add(y).add(51)), CUDA_ERROR_ILLEGAL_ADDRESS);
}

TEST(shared_memory_not_written, "byte 8 of shared memory, where nothing was written") {
  ends("shared_from", {1, 32, 120}, 2, failed_launch);
}

TEST(shared_memory_past_the_end, "byte 120 of shared memory") {
  ends("shared_from", {1, 32, 120}, 30, CUDA_ERROR_ILLEGAL_ADDRESS);
}

TEST(shared_memory_of_another_block, "byte 8 of shared memory, where nothing was written") {
  start();
  Memory y(32);
  OK(run("lanes_read_late", {1, 32, 128}, Arguments().add(y).add(1))); // writes all of it
  EXPECT(run("shared_from", {1, 32, 128}, Arguments().add(y).add(2)), failed_launch);
}
