#include "fiber.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/mman.h>

#ifdef EMULATOR_ASSEMBLY_SWITCH
extern "C" void emulator_switch(void** from, void* to);

// The registers that a function preserves by the System V ABI, then the stack.
asm(R"(
  .text
  .p2align 4
  .hidden emulator_switch
  .globl emulator_switch
  .type emulator_switch, @function
emulator_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
  .size emulator_switch, .-emulator_switch
)");
#endif

namespace emulator {
namespace {

constexpr size_t page = 4096;
constexpr size_t colours = 61; // prime, in steps of some cache lines
constexpr size_t colour_bytes = 320;

} // namespace

#ifdef EMULATOR_ASSEMBLY_SWITCH

void prepare(Fiber& fiber, void* bottom, size_t bytes, void (*entry)()) {
  const size_t top = (reinterpret_cast<size_t>(bottom) + bytes) & ~size_t(15);
  // Six registers, the entry's address and a return address of nowhere: the
  // entry then sees the alignment that a call leaves.
  void** frame = reinterpret_cast<void**>(top) - 10;
  memset(frame, 0, 10 * sizeof(void*));
  frame[6] = reinterpret_cast<void*>(entry);
  fiber.stack_pointer = frame;
}

void switch_context(Fiber& from, Fiber& to) {
  emulator_switch(&from.stack_pointer, to.stack_pointer);
}

#else

void prepare(Fiber& fiber, void* bottom, size_t bytes, void (*entry)()) {
  getcontext(&fiber.state);
  fiber.state.uc_stack.ss_sp = bottom;
  fiber.state.uc_stack.ss_size = bytes;
  fiber.state.uc_link = nullptr;
  makecontext(&fiber.state, entry, 0);
}

void switch_context(Fiber& from, Fiber& to) { swapcontext(&from.state, &to.state); }

#endif

int Stacks::take() {
  if (!free_.empty()) {
    const int index = free_.back();
    free_.pop_back();
    return index;
  }
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED || mprotect(memory, page, PROT_NONE)) {
    fprintf(stderr, "emulated CUDA driver: no memory for the stack of a thread\n");
    abort();
  }
  all_.push_back(static_cast<unsigned char*>(memory));
  return int(all_.size()) - 1;
}

void Stacks::give(int index) { free_.push_back(index); }

void Stacks::give_all() {
  free_.clear();
  for (int i = int(all_.size()); i-- > 0;) free_.push_back(i);
}

void* Stacks::bottom(int index) const { return all_[index] + page; }

size_t Stacks::usable(int index) { return bytes - page - (index % colours) * colour_bytes; }

bool Stacks::overflown(const void* address) const {
  const auto* at = static_cast<const unsigned char*>(address);
  for (const unsigned char* stack : all_) {
    if (at >= stack && at < stack + page) return true;
  }
  return false;
}

} // namespace emulator
