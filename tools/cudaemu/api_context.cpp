// Contexts: only primary contexts exist, and each thread has a stack of those
// that are current.
#include "driver.h"
#include "queue.h"
#include "report.h"

namespace emulator {
namespace {

Context* find_context(CUcontext handle) {
  for (Context* context : driver().contexts) {
    if (reinterpret_cast<CUcontext>(context) == handle) return context;
  }
  return nullptr;
}

CUcontext handle(Context* context) { return reinterpret_cast<CUcontext>(context); }

} // namespace

EMULATOR_API cuCtxSetCurrent(CUcontext wanted) {
  return outside("cuCtxSetCurrent", [&](Driver&) {
    ThreadState& t = thread_state();
    if (!wanted) {
      if (t.count) t.count--;
      return CUDA_SUCCESS;
    }
    Context* context = find_context(wanted);
    if (!context) return CUDA_ERROR_INVALID_CONTEXT;
    if (!context->retained) return CUDA_ERROR_CONTEXT_IS_DESTROYED;
    if (!t.count) t.count = 1;
    t.stack[t.count - 1] = context;
    return CUDA_SUCCESS;
  });
}

EMULATOR_API cuCtxGetCurrent(CUcontext* out) {
  return outside("cuCtxGetCurrent", [&](Driver&) {
    if (!out) return CUDA_ERROR_INVALID_VALUE;
    *out = handle(current_context());
    return CUDA_SUCCESS;
  });
}

EMULATOR_API cuCtxPushCurrent_v2(CUcontext wanted) {
  return outside("cuCtxPushCurrent", [&](Driver&) {
    ThreadState& t = thread_state();
    Context* context = find_context(wanted);
    if (!context || !context->retained) return CUDA_ERROR_INVALID_CONTEXT;
    if (t.count == ThreadState::depth) return CUDA_ERROR_INVALID_VALUE;
    t.stack[t.count++] = context;
    return CUDA_SUCCESS;
  });
}

EMULATOR_API cuCtxPopCurrent_v2(CUcontext* out) {
  return outside("cuCtxPopCurrent", [&](Driver&) {
    ThreadState& t = thread_state();
    if (!t.count) return CUDA_ERROR_INVALID_CONTEXT;
    t.count--;
    if (out) *out = handle(t.stack[t.count]);
    return CUDA_SUCCESS;
  });
}

EMULATOR_API cuCtxCreate_v2(CUcontext*, unsigned, CUdevice) {
  return outside("cuCtxCreate", [](Driver&) {
    report("cuCtxCreate: there are only primary contexts here: use cuDevicePrimaryCtxRetain");
    return CUDA_ERROR_NOT_SUPPORTED;
  });
}

EMULATOR_API cuCtxDestroy_v2(CUcontext) {
  return outside("cuCtxDestroy", [](Driver&) {
    report("cuCtxDestroy: a primary context is given back by cuDevicePrimaryCtxRelease");
    return CUDA_ERROR_INVALID_CONTEXT;
  });
}

EMULATOR_API cuCtxGetDevice(CUdevice* device) {
  return inside("cuCtxGetDevice", anywhere, [&](Context& c) {
    if (!device) return CUDA_ERROR_INVALID_VALUE;
    *device = c.device;
    return CUDA_SUCCESS;
  });
}

EMULATOR_API cuCtxGetFlags(unsigned* flags) {
  return inside("cuCtxGetFlags", anywhere, [&](Context& c) {
    if (!flags) return CUDA_ERROR_INVALID_VALUE;
    *flags = c.flags;
    return CUDA_SUCCESS;
  });
}

EMULATOR_API cuCtxSynchronize() {
  return inside("cuCtxSynchronize", never_in_capture, [](Context& c) {
    drain_context(c);
    return c.error;
  });
}

EMULATOR_API cuCtxGetApiVersion(CUcontext context, unsigned* version) {
  return outside("cuCtxGetApiVersion", [&](Driver&) {
    if (!version) return CUDA_ERROR_INVALID_VALUE;
    if (context && !find_context(context)) return CUDA_ERROR_INVALID_CONTEXT;
    constexpr unsigned primary = 3020;
    *version = primary;
    return CUDA_SUCCESS;
  });
}

EMULATOR_API cuCtxSetLimit(int limit, size_t value) {
  return inside("cuCtxSetLimit", anywhere, [&](Context& c) {
    c.limits[limit] = value;
    return CUDA_SUCCESS;
  });
}

EMULATOR_API cuCtxGetLimit(size_t* value, int limit) {
  return inside("cuCtxGetLimit", anywhere, [&](Context& c) {
    if (!value) return CUDA_ERROR_INVALID_VALUE;
    constexpr size_t unset = 1024;
    const auto at = c.limits.find(limit);
    *value = at == c.limits.end() ? unset : at->second;
    return CUDA_SUCCESS;
  });
}

EMULATOR_API cuCtxGetCacheConfig(int* config) {
  return inside("cuCtxGetCacheConfig", anywhere, [&](Context&) {
    if (!config) return CUDA_ERROR_INVALID_VALUE;
    *config = 0;
    return CUDA_SUCCESS;
  });
}

EMULATOR_API cuCtxSetCacheConfig(int) {
  return inside("cuCtxSetCacheConfig", anywhere, [](Context&) { return CUDA_SUCCESS; });
}

EMULATOR_API cuCtxGetSharedMemConfig(int* config) {
  return inside("cuCtxGetSharedMemConfig", anywhere, [&](Context&) {
    if (!config) return CUDA_ERROR_INVALID_VALUE;
    constexpr int four_byte_banks = 1;
    *config = four_byte_banks;
    return CUDA_SUCCESS;
  });
}

EMULATOR_API cuCtxSetSharedMemConfig(int) {
  return inside("cuCtxSetSharedMemConfig", anywhere, [](Context&) { return CUDA_SUCCESS; });
}

EMULATOR_API cuCtxGetStreamPriorityRange(int* least, int* greatest) {
  return inside("cuCtxGetStreamPriorityRange", anywhere, [&](Context&) {
    if (least) *least = 0;
    if (greatest) *greatest = -5;
    return CUDA_SUCCESS;
  });
}

} // namespace emulator
