#include "driver.h"

#include "memory.h"
#include "module.h"
#include "queue.h"
#include "report.h"

namespace emulator {

Driver& driver() {
  static Driver& d = *new Driver; // threads may call while the process exits
  return d;
}

ThreadState& thread_state() {
  static thread_local ThreadState state;
  return state;
}

Context* current_context() {
  const ThreadState& t = thread_state();
  return t.count ? t.stack[t.count - 1] : nullptr;
}

void destroy_resources(Context& c) {
  drain_context(c);
  c.captures.clear();
  c.functions.clear();
  c.events.clear();
  for (Stream* stream : c.streams) delete stream;
  for (Graph* graph : c.graphs) delete graph;
  for (Graph* graph : c.executables) delete graph;
  for (Module* module : c.modules) delete module;
  c.streams.clear();
  c.graphs.clear();
  c.executables.clear();
  c.modules.clear();
  c.legacy.capture = nullptr;
  release_all(c.device);
  release_all(host_memory(c.device));
  c.error = CUDA_SUCCESS;
}

bool forbidden_in_capture(const char* name) {
  const int mode = thread_state().capture_mode;
  if (mode == capture_relaxed) return false;
  bool forbidden = false;
  for (Context* context : driver().contexts) {
    for (auto& entry : context->captures) {
      Capture& capture = *entry.second;
      const bool own = capture.owner == std::this_thread::get_id();
      const bool counts = own ? capture.mode != capture_relaxed
                              : capture.mode == capture_global && mode == capture_global;
      if (!counts) continue;
      report("%s is not permitted while a stream is captured", name);
      capture.invalid = true;
      forbidden = true;
    }
  }
  return forbidden;
}

bool stays(CUresult error) {
  switch (error) {
  case CUDA_ERROR_ECC_UNCORRECTABLE:
  case CUDA_ERROR_ILLEGAL_ADDRESS:
  case CUDA_ERROR_LAUNCH_TIMEOUT:
  case CUDA_ERROR_ASSERT:
  case CUDA_ERROR_HARDWARE_STACK_ERROR:
  case CUDA_ERROR_ILLEGAL_INSTRUCTION:
  case CUDA_ERROR_MISALIGNED_ADDRESS:
  case CUDA_ERROR_INVALID_ADDRESS_SPACE:
  case CUDA_ERROR_INVALID_PC:
  case CUDA_ERROR_LAUNCH_FAILED:
    return true;
  default:
    return false;
  }
}

} // namespace emulator
