// Switching between stacks of one operating system thread.
#pragma once

#include <cstddef>
#include <vector>

#if defined(__x86_64__) && !defined(EDM_EMULATOR_UCONTEXT)
#define EMULATOR_ASSEMBLY_SWITCH 1
#else
#include <ucontext.h>
#endif

namespace emulator {

// Fiber is where one stopped.
struct Fiber {
#ifdef EMULATOR_ASSEMBLY_SWITCH
  void* stack_pointer = nullptr;
#else
  ucontext_t state;
#endif
};

// prepare makes `fiber` start at entry, which must not return, on a stack.
void prepare(Fiber& fiber, void* bottom, size_t bytes, void (*entry)());

// switch_context stores where the caller is and continues the other one. Only
// what a function must preserve is kept.
void switch_context(Fiber& from, Fiber& to);

// Stacks are the stacks of one block's threads. Each has an inaccessible page
// below it, so that an overflow is a fault and not a corruption.
class Stacks {
public:
  static constexpr size_t bytes = 128 << 10; // of one, its guard page included

  Stacks() = default;
  Stacks(const Stacks&) = delete;
  Stacks& operator=(const Stacks&) = delete;

  int take();          // the index of a free stack; the one returned last is first
  void give(int index);
  void give_all();     // after a block that was abandoned

  void* bottom(int index) const;
  // usable returns the bytes from the bottom. It differs between stacks, or all
  // threads' frames would compete for the same cache sets.
  static size_t usable(int index);
  // overflown tells whether an address is in a guard page.
  bool overflown(const void* address) const;

private:
  std::vector<unsigned char*> all_;
  std::vector<int> free_;
};

} // namespace emulator
