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
#include "phases.h"
#include "random.h"
#include "shared.h"
#include "site.h"
#include "warpgroup.h"

#include <csetjmp>
#include <csignal>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace emulator {

constexpr int warp_size = 32;
constexpr int warps_of_group = 4; // of a warpgroup

// Grid is one launch of a kernel.
struct Grid {
  const Kernel* kernel;
  Dim3 blocks, threads;
  unsigned shared;                     // bytes
  const unsigned long long* arguments; // a slot each
  uint64_t seed;
};

enum class Collective {
  barrier,
  shuffle_xor,
  shuffle_down,
  shuffle,
  mma_tf32,
  mma_bf16,
  load_matrices,
  elect,
  registers,
  wgmma_fence,
  wgmma,
  wgmma_commit,
  wgmma_wait,
};
const char* name(Collective operation);
enum class Waiting : unsigned char { nothing, warp, block, named, phase };

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
  int named;                   // the barrier that it waits for
  unsigned long long* awaited; // the mbarrier that it waits for
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
  unsigned number; // in its block
  unsigned all, ready, arrived, ended;
  unsigned flip, cursor;
  Collective operation; // that the lanes which arrived wait for
  int argument;
  Site site;
  unsigned parity; // which half of `exchange` the current operation uses
  unsigned long long exchange[2][warp_size];
  Fragments fragments[warp_size];
  Operands operands[warp_size];
  Products products;
  Row rows[warp_size];

  Lane* peek() const; // the lane that is to run next, or nullptr
  void take(const Lane& lane);
};

// Named is one of a block's barriers that some of its threads come to.
struct Named {
  int threads;
  std::vector<Lane*> arrived;
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
  void issue(Lane& lane, Copy copy, Site site);
  // check_row ends the block unless a row of a matrix is 16 aligned bytes of its
  // shared memory.
  void check_row(const unsigned char* row, Site site);

  // The same for what hopper.h adds.
  void named_barrier(Lane& lane, int id, int threads, Site site);
  void make_phase(unsigned long long* b, unsigned arrivals, Site site);
  void publish();
  void arrive(unsigned long long* b, unsigned bytes, Site site);
  void wait_phase(Lane& lane, unsigned long long* b, unsigned parity, Site site);
  void acquire(const void* map, Site site);
  void need_acquired(const void* map, const char* call, Site site);
  void load(const Load& load, const void* map, unsigned long long* b, Site site);
  void agree(const Lane& lane, Collective operation, const Operands& operands, int argument,
             Site site);
  // warpgroup does `work`, which returns what is wrong, in the last lane of a warp
  // that comes, after the warp has agreed with its warpgroup.
  template <class Work>
  void warpgroup(Lane& lane, Collective operation, const Operands& operands, int argument,
                 Site site, Work work);
  SharedMemory& shared() { return shared_; }

  // fail ends the block with an error; it does not return.
  [[noreturn]] void fail(CUresult code, const std::string& text);
  // refuse does so with what is wrong with a call.
  [[noreturn]] void refuse(const char* call, Site site, const std::string& problem,
                           CUresult code = CUDA_ERROR_LAUNCH_FAILED);
  // fault does so from a signal handler.
  [[noreturn]] void fault(const Fault& fault);

private:
  void reset(const Grid& grid, Dim3 block, uint64_t serial);
  void shape(const Grid& grid);
  void shuffle_warps();
  void schedule();
  void run_warp(Warp& warp);
  void begin(Lane& lane);
  bool at_once(); // whether an asynchronous copy lands when it is issued
  void wait(Lane& lane);
  static void lane_main();
  void run_lanes();
  [[noreturn]] void diverged(const std::string& call, Site site, const std::string& first,
                             Site other);
  void wake(const std::vector<Lane*>& lanes);
  CUresult check_finished();
  std::string awaits(const Lane& lane) const;
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
  Phases phases_{shared_};
  Named named_[16];
  std::vector<Agreement> agreements_; // of each warpgroup
  std::set<const void*> acquired_;    // tensor maps
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
