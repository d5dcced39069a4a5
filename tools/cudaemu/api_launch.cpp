// Launches of kernels.
#include "grid.h"
#include "launched.h"
#include "memory.h"
#include "module.h"
#include "queue.h"
#include "report.h"
#include "settings.h"

#include <cstring>

namespace emulator {
namespace {

// Launch is a launch with its arguments frozen.
struct Launch {
  std::shared_ptr<Function> function;
  Dim3 blocks, threads;
  unsigned shared;
  std::vector<unsigned long long> arguments;
  unsigned long long mark; // address of the word that says that it has begun, or 0
};

CUresult refuse(const Launch& l, const char* what) {
  report("launch of kernel %s with grid (%u,%u,%u), block (%u,%u,%u) and %u bytes of shared memory: "
         "%s",
         l.function->kernel->name, l.blocks.x, l.blocks.y, l.blocks.z, l.threads.x, l.threads.y,
         l.threads.z, l.shared, what);
  return CUDA_ERROR_INVALID_VALUE;
}

// check compares a launch with the limits of the device and the function.
CUresult check(const Launch& l) {
  const Dim3 b = l.blocks, t = l.threads;
  if (!b.x || !b.y || !b.z || !t.x || !t.y || !t.z) return refuse(l, "a dimension is 0");
  if (b.x > 2147483647u || b.y > 65535 || b.z > 65535) return refuse(l, "the grid is too large");
  const unsigned long long threads = 1ull * t.x * t.y * t.z;
  if (t.x > 1024 || t.y > 1024 || t.z > 64 || threads > 1024) {
    return refuse(l, "a block has at most 1024 threads");
  }
  if (threads > unsigned(l.function->max_threads)) {
    return refuse(l, "the block exceeds the kernel's LAUNCH_BOUNDS");
  }
  if (l.shared > unsigned(limits().shared_optin)) {
    return refuse(l, "the device does not give a block as much shared memory");
  }
  if (l.shared > unsigned(shared_default) && l.shared > l.function->max_dynamic) {
    return refuse(l, "more than 48 KiB of shared memory want cuFuncSetAttribute first");
  }
  return CUDA_SUCCESS;
}

void freeze(Launch& l, void** parameters) {
  const Kernel& kernel = *l.function->kernel;
  l.arguments.assign(size_t(kernel.count) + 1, 0);
  for (int i = 0; i < kernel.count; i++) {
    memcpy(&l.arguments[size_t(i)], parameters[i], kernel.parameters[i].size);
  }
  if (l.function->marked) memcpy(&l.mark, parameters[kernel.count], sizeof l.mark);
}

// set_mark does what the first thread does before all else in the PTX.
CUresult set_mark(const Launch& l, const Context& c) {
  void* const word = reinterpret_cast<void*>(l.mark);
  if (!word) return CUDA_SUCCESS;
  const Allocation* a = find_allocation(word, sizeof(unsigned));
  if (!a || a->device != host_memory(c.device)) {
    report("the mark of kernel %s is %p, which is no page-locked memory: %s",
           l.function->kernel->name, word, describe_address(word).c_str());
    return CUDA_ERROR_ILLEGAL_ADDRESS;
  }
  *static_cast<volatile unsigned*>(word) = 1;
  return CUDA_SUCCESS;
}

// check_pointers finds arguments that point to no memory of the device. A null
// pointer and one past the end of an allocation may be passed, not followed.
CUresult check_pointers(const Launch& l, const Context& c) {
  const Kernel& kernel = *l.function->kernel;
  for (int i = 0; i < kernel.count; i++) {
    const void* p = reinterpret_cast<const void*>(l.arguments[size_t(i)]);
    if (!kernel.parameters[i].pointer || !p) continue;
    const Allocation* a = find_allocation(p, 0);
    if (a && (a->device == c.device || a->device == host_memory(c.device))) continue;
    report("argument %d of kernel %s is %p, which points to no memory of the device: %s", i,
           kernel.name, p, describe_address(p).c_str());
    return CUDA_ERROR_ILLEGAL_ADDRESS;
  }
  return CUDA_SUCCESS;
}

CUresult execute(const Launch& l, Context& c) {
  const Kernel& kernel = *l.function->kernel;
  if (!l.function->module) {
    report("kernel %s is to run after its module was unloaded", kernel.name);
    return CUDA_ERROR_ILLEGAL_ADDRESS;
  }
  if (const CUresult error = set_mark(l, c)) return error;
  if (const CUresult error = injected(kernel.name)) return error;
  if (const CUresult error = check_pointers(l, c)) return error;
  note_launched(kernel.name);
  const uint64_t serial = ++driver().launches;
  Grid grid = {&kernel, l.blocks, l.threads, l.shared, l.arguments.data(), 0};
  grid.seed = mix(settings().seed) ^ mix(serial << 20);
  return run_grid(grid);
}

} // namespace

EMULATOR_API cuLaunchKernel(CUfunction handle, unsigned blocks_x, unsigned blocks_y,
                            unsigned blocks_z, unsigned threads_x, unsigned threads_y,
                            unsigned threads_z, unsigned shared, CUstream stream_handle,
                            void** parameters, void** extra) {
  return inside("cuLaunchKernel", anywhere, [&](Context& c) {
    Stream* stream = find_stream(c, stream_handle);
    Launch l = {find_function(c, handle),
                {blocks_x, blocks_y, blocks_z},
                {threads_x, threads_y, threads_z},
                shared,
                {},
                0};
    if (!stream || !l.function) return CUDA_ERROR_INVALID_HANDLE;
    if (extra) return refuse(l, "arguments are taken as kernelParams, not as extra");
    if (!parameters && (l.function->kernel->count || l.function->marked)) {
      return refuse(l, "no arguments");
    }
    if (const CUresult error = check(l)) return error;
    freeze(l, parameters);
    return enqueue(*stream, [l](Context& at) { return execute(l, at); });
  });
}

} // namespace emulator
