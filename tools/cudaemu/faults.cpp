#include "faults.h"

#include "block.h"
#include "report.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <pthread.h>
#include <ucontext.h>

namespace emulator {
namespace {

constexpr int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
constexpr int signal_count = sizeof signals / sizeof *signals;
constexpr int most_signals = 65;

struct sigaction previous[most_signals];

// pass_on does what would have happened without this handler.
void pass_on(int number, siginfo_t* info, void* context) {
  const struct sigaction& old = previous[number];
  if (old.sa_flags & SA_SIGINFO) {
    old.sa_sigaction(number, info, context);
  } else if (old.sa_handler != SIG_DFL && old.sa_handler != SIG_IGN) {
    old.sa_handler(number);
  } else {
    sigaction(number, &old, nullptr); // the instruction runs again and meets it
  }
}

Fault read_fault(int number, const siginfo_t* info, const void* context) {
  Fault f{number, info->si_code, info->si_addr, false, false};
#if defined(__x86_64__) && defined(__linux__)
  const auto* machine = static_cast<const ucontext_t*>(context);
  f.write = (machine->uc_mcontext.gregs[REG_ERR] & 2) != 0;
  f.known_direction = number == SIGSEGV;
#else
  (void)context;
#endif
  return f;
}

void on_signal(int number, siginfo_t* info, void* context) {
  Lane* lane = running();
  if (!lane) {
    pass_on(number, info, context);
    return;
  }
  lane->block->fault(read_fault(number, info, context));
}

sigset_t fault_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (int number : signals) sigaddset(&set, number);
  return set;
}

} // namespace

void catch_faults() {
  struct sigaction action {};
  action.sa_sigaction = on_signal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
  sigfillset(&action.sa_mask);
  for (int i = 0; i < signal_count; i++) sigaction(signals[i], &action, &previous[signals[i]]);
}

void enter_device_thread() {
  sigset_t all, faults = fault_signals();
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, nullptr);
  pthread_sigmask(SIG_UNBLOCK, &faults, nullptr);
  constexpr size_t bytes = 64 << 10;
  stack_t stack{};
  stack.ss_sp = malloc(bytes);
  stack.ss_size = bytes;
  sigaltstack(&stack, nullptr);
}

void Block::report_fault() {
  // The jump out of the handler left its signals blocked.
  const sigset_t set = fault_signals();
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  const Fault f = fault_;
  const std::string where = place() + ", after " + running()->site.name();
  error_ = CUDA_ERROR_LAUNCH_FAILED;
  if (f.signal == SIGFPE) {
    report("%s: divides an integer by zero, which has no meaning on a device", where.c_str());
  } else if (f.signal == SIGILL) {
    report("%s: a misaligned access, an index beyond a local array or a shift by too many bits",
           where.c_str());
  } else if (f.code == SI_KERNEL) {
    error_ = CUDA_ERROR_MISALIGNED_ADDRESS;
    report("%s: misaligned vector access, or an address that is none", where.c_str());
  } else if (stacks_.overflown(f.address)) {
    report("%s: its local variables exceed the %zu bytes of a thread's stack", where.c_str(),
           Stacks::bytes);
  } else {
    error_ = CUDA_ERROR_ILLEGAL_ADDRESS;
    const std::string shared = shared_.describe(f.address);
    const char* direction = !f.known_direction ? "access" : f.write ? "write" : "read";
    report("%s: illegal %s at %p: %s", where.c_str(), direction, f.address,
           shared.empty() ? describe_address(f.address).c_str() : shared.c_str());
  }
}

} // namespace emulator
