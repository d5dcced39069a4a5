// Allocation.
#include "driver.h"
#include "memory.h"
#include "queue.h"
#include "report.h"
#include "settings.h"

namespace emulator {
namespace {

void* pointer(CUdeviceptr address) { return reinterpret_cast<void*>(address); }

CUdeviceptr address(const void* p) { return reinterpret_cast<CUdeviceptr>(p); }

CUresult allocate_host(void** out, size_t bytes, Context& c) {
  if (!out || !bytes) return CUDA_ERROR_INVALID_VALUE;
  *out = allocate(host_memory(c.device), bytes);
  return *out ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

} // namespace

EMULATOR_API cuMemGetInfo_v2(size_t* available, size_t* total) {
  return inside("cuMemGetInfo", anywhere, [&](Context& c) {
    const size_t used = allocated(c.device);
    if (available) *available = settings().memory - used;
    if (total) *total = settings().memory;
    return CUDA_SUCCESS;
  });
}

EMULATOR_API cuMemAlloc_v2(CUdeviceptr* out, size_t bytes) {
  return inside("cuMemAlloc", never_in_capture, [&](Context& c) {
    if (!out || !bytes) return CUDA_ERROR_INVALID_VALUE;
    const size_t available = settings().memory - allocated(c.device);
    if (bytes > available) return CUDA_ERROR_OUT_OF_MEMORY;
    *out = address(allocate(c.device, bytes));
    return *out ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
  });
}

EMULATOR_API cuMemFree_v2(CUdeviceptr p) {
  return inside("cuMemFree", never_in_capture, [&](Context& c) {
    if (!p) return CUDA_SUCCESS;
    drain_context(c);
    if (!release(c.device, pointer(p))) {
      report("cuMemFree: %p is not the start of device memory: %s", pointer(p),
             describe_address(pointer(p)).c_str());
      return CUDA_ERROR_INVALID_VALUE;
    }
    return c.error;
  });
}

EMULATOR_API cuMemAllocHost_v2(void** out, size_t bytes) {
  return inside("cuMemAllocHost", never_in_capture,
                [&](Context& c) { return allocate_host(out, bytes, c); });
}

EMULATOR_API cuMemHostAlloc(void** out, size_t bytes, unsigned) {
  return inside("cuMemHostAlloc", never_in_capture,
                [&](Context& c) { return allocate_host(out, bytes, c); });
}

EMULATOR_API cuMemFreeHost(void* p) {
  return inside("cuMemFreeHost", never_in_capture, [&](Context& c) {
    drain_context(c);
    if (!release(host_memory(c.device), p)) {
      report("cuMemFreeHost: %p is not the start of page-locked memory: %s", p,
             describe_address(p).c_str());
      return CUDA_ERROR_INVALID_VALUE;
    }
    return c.error;
  });
}

EMULATOR_API cuMemHostGetDevicePointer_v2(CUdeviceptr* out, void* p, unsigned) {
  return inside("cuMemHostGetDevicePointer", anywhere, [&](Context&) {
    const Allocation* a = find_allocation(p, 1);
    if (!out || !a || a->device >= 0) return CUDA_ERROR_INVALID_VALUE;
    *out = address(p);
    return CUDA_SUCCESS;
  });
}

EMULATOR_API cuMemGetAddressRange_v2(CUdeviceptr* base, size_t* bytes, CUdeviceptr p) {
  return inside("cuMemGetAddressRange", anywhere, [&](Context&) {
    const Allocation* a = find_allocation(pointer(p), 1);
    if (!a) return CUDA_ERROR_NOT_FOUND;
    if (base) *base = address(a->base);
    if (bytes) *bytes = a->bytes;
    return CUDA_SUCCESS;
  });
}

EMULATOR_API cuPointerGetAttribute(void* data, int which, CUdeviceptr p) {
  return inside("cuPointerGetAttribute", anywhere, [&](Context&) {
    constexpr int memory_type = 2, device_pointer = 3, ordinal = 9;
    constexpr unsigned host = 1, device = 2;
    const Allocation* a = find_allocation(pointer(p), 1);
    if (!data || !a) return CUDA_ERROR_INVALID_VALUE;
    switch (which) {
    case memory_type:
      *static_cast<unsigned*>(data) = a->device < 0 ? host : device;
      return CUDA_SUCCESS;
    case device_pointer:
      *static_cast<CUdeviceptr*>(data) = p;
      return CUDA_SUCCESS;
    case ordinal:
      *static_cast<int*>(data) = a->device < 0 ? host_memory(a->device) : a->device;
      return CUDA_SUCCESS;
    default:
      return CUDA_ERROR_NOT_SUPPORTED;
    }
  });
}

} // namespace emulator
