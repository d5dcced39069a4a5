// The execution of one thread block: its threads are fibers of one operating
// system thread.
//
// A warp runs until all of its lanes wait for the block or have ended; then
// another warp does. A lane runs until it waits for the others of its warp or of
// the block. Both orders are drawn from the seed, anew for each block, and the
// warps' anew at each barrier. So what only works in one order fails.
#pragma once

#include "abi.h"
#include "copies.h"
#include "device.h"
#include "fiber.h"
#include "memory.h"
#include "random.h"
#include "shared.h"

#include <csetjmp>
#include <csignal>
#include <cstdint>
#include <string>
#include <vector>

namespace emulator {

constexpr int warp_size = 32;

// Grid is one launch of a kernel.
struct Grid {
  const Kernel* kernel;
  Dim3 blocks, threads;
  unsigned shared;                     // bytes
  const unsigned long long* arguments; // a slot each
  uint64_t seed;
};

// Site is a call's place in the sources.
struct Site {
  const char* file = nullptr;
  int line = 0;
  bool operator==(const Site& o) const;
  std::string name() const; // file:line
};

enum class Collective { barrier, shuffle_xor, shuffle_down, shuffle, mma_tf32, mma_bf16, load_matrices };
enum class Waiting : unsigned char { nothing, warp, block };

struct Warp;
class Block;

// Lane is a thread of a block. What every wait uses comes first, in one cache
// line.
struct alignas(64) Lane {
  Fiber fiber;
  Block* block;
  Warp* warp;
  unsigned index; // in its warp
  unsigned bit;   // in its warp's masks
  int stack;      // or -1: not started, or ended
  Waiting waiting;
  Site site; // of the last call that waited
  Coordinates coordinates;
  CopyQueue copies;
};

// Fragments are one lane's operands of a matrix product.
struct Fragments {
  float* d;
  const unsigned *a, *b;
};

// Row is what one lane has of the loading of matrices: where its words go, and the
// row that it names.
struct Row {
  unsigned* words;
  const unsigned char* from;
};

// Warp keeps masks of its lanes in the order in which they run: bit i is lane
// (i xor flip).
struct Warp {
  Lane* lanes;
  unsigned all, ready, arrived, ended;
  unsigned flip, cursor;
  Collective operation; // that the lanes which arrived wait for
  int argument;
  Site site;
  unsigned parity; // which half of `exchange` the current operation uses
  unsigned long long exchange[2][warp_size];
  Fragments fragments[warp_size];
  Row rows[warp_size];

  Lane* peek() const; // the lane that is to run next, or nullptr
  void take(const Lane& lane);
};

// Fault is a signal that a thread of the block caused.
struct Fault {
  int signal, code;
  const void* address;
  bool write, known_direction;
};

class Block {
public:
  // run executes one block of a grid. It returns an error's number after it
  // wrote a report, or CUDA_SUCCESS.
  CUresult run(const Grid& grid, Dim3 block, uint64_t serial);

  // What the primitives do, called by a running lane.
  void barrier(Lane& lane, Site site);
  // meet waits for all lanes of the warp. It returns true in the last lane to
  // arrive, which may do the work of all before it calls finish_meeting.
  bool meet(Lane& lane, Collective operation, int argument, Site site);
  void finish_meeting(Lane& lane);
  void issue(Lane& lane, const Copy& copy, Site site);
  // check_row ends the block unless a row of a matrix is 16 aligned bytes of its
  // shared memory.
  void check_row(const unsigned char* row, Site site);

  // fail ends the block with an error; it does not return.
  [[noreturn]] void fail(CUresult code, const std::string& text);
  // fault does so from a signal handler.
  [[noreturn]] void fault(const Fault& fault);

private:
  void reset(const Grid& grid, Dim3 block, uint64_t serial);
  void shape(const Grid& grid);
  void shuffle_warps();
  void schedule();
  void run_warp(Warp& warp);
  void begin(Lane& lane);
  void wait(Lane& lane);
  static void lane_main();
  void run_lanes();
  [[noreturn]] void diverged(const std::string& call, Site site, const std::string& first,
                             Site other);
  void report_stuck();
  void report_fault();
  std::string place() const; // the running lane
  CUresult check_shared();

  const Grid* grid_ = nullptr;
  Dim3 shaped_{0, 0, 0}; // for which lanes_ and warps_ are made
  Dim3 block_{0, 0, 0};
  std::vector<Lane> lanes_;
  std::vector<Warp> warps_;
  std::vector<unsigned> order_; // of warps
  unsigned ended_ = 0, arrived_ = 0;
  Site barrier_site_;
  Fiber scheduler_;
  Stacks stacks_;
  SharedMemory shared_;
  Random random_{0};
  Allocation recent_{}; // that an asynchronous copy read from
  CUresult error_ = CUDA_SUCCESS;
  Fault fault_{};
  sigjmp_buf abandoned_;
};

// current_lane is the lane that this thread executes, or nullptr. The model makes
// it one load, also from a signal handler, and __thread says that it needs no
// initialisation.
extern __thread Lane* current_lane __attribute__((tls_model("initial-exec")));

inline Lane* running() { return current_lane; }

} // namespace emulator
