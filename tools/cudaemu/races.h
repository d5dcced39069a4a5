// Which accesses of a launch are ordered, and which race: two threads touch the
// same bytes, at least one of them writes, and nothing orders them.
//
// What orders two accesses is that one thread makes both, or that both threads
// come to a barrier of the block between them, or two lanes of a warp to a
// warp_barrier, or that one thread arrives at an mbarrier after the first and the
// other waits for that phase before the second, or a chain of these. Shuffles and
// matrix instructions order nothing, and nothing orders blocks. An asynchronous
// copy writes at any time until its thread has waited for it, and is then a write
// of that thread; a load by tensor map until its mbarrier's phase is complete.
//
// Accesses are checked one after the other, so that a barrier divides those
// before it from those after it, and a number which every barrier raises tells
// which is which. Barriers of a few threads take more: what each thread knows of
// each other one.
#pragma once

#include "block.h"

#include <cstdint>
#include <map>
#include <vector>

namespace emulator {

// Space is a kind of memory. That of a block ends with it.
enum class Space { shared, global };

// Stamp is when a thread accessed which bytes of a cell.
struct Stamp {
  uint64_t clock : 48; // 0: never
  uint64_t thread : 10; // in its block
  uint64_t bytes : 4;   // a bit each
  uint64_t in_flight : 1; // by an asynchronous copy that was not waited for
};

// Past is an access and the code that made it.
struct Past {
  Stamp stamp;
  const void* code;
};

// Cell is what is known of four bytes: the last write, the last read, and the last
// reads by another lane of its warp, another warp of its block and another block.
// A write that races with any read races with one of these.
struct Cell {
  Past write;
  Past lane_read, other_lane_read, other_warp_read, other_block_read;
};

// Order is the order that barriers give to one launch.
class Order {
public:
  void begin_launch() { launch_ = ++clock_; }
  void begin_block(unsigned threads);
  void pass_barrier() { barrier_ = clock_++; }
  void pass_warp_barrier(unsigned warp);
  // meet is a barrier of some threads.
  void meet(const std::vector<unsigned>& threads);

  // These are for mbarriers, whose key is any address: a thread arrives, a load of
  // a thread lands, the phase is complete, a thread has waited for that.
  void arrive(const void* mbarrier, unsigned thread);
  void land(const void* mbarrier, unsigned thread);
  void complete(const void* mbarrier);
  void pass_phase(const void* mbarrier, unsigned thread);

  Stamp now(unsigned thread, unsigned bytes, bool in_flight) const {
    return {clock_, thread, bytes, in_flight};
  }
  // of_launch and of_block tell whether an access is of the current one.
  bool of_launch(Stamp s) const { return s.clock >= launch_; }
  bool of_block(Stamp s) const { return s.clock >= block_; }

  // read and write enter an access into its cell. They return the one that it
  // races with, or nullptr.
  const Past* read(Cell& cell, Space space, Stamp now, const void* code);
  const Past* write(Cell& cell, Space space, Stamp now, const void* code);

private:
  // View has the last clock of each thread that is known; it is empty if barriers
  // of all threads or of warps tell everything.
  using View = std::vector<uint64_t>;
  struct Phase {
    View now, complete;
  };

  void look(unsigned thread, View& into) const;
  void learn(unsigned thread, const View& from);
  bool knows(unsigned thread, Stamp s) const;
  bool races(const Past& past, Space space, Stamp now) const;
  void keep_read(Cell& cell, Stamp now) const;

  uint64_t clock_ = 0;
  uint64_t launch_ = 0, block_ = 0, barrier_ = 0; // when the current one began, or the last one was
  uint64_t warp_barriers_[1024 / warp_size] = {};
  unsigned threads_ = 0;
  std::vector<View> known_; // to each thread; empty if no barrier was of a few
  std::map<const void*, Phase> phases_;
};

} // namespace emulator
