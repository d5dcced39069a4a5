// Copies and fills. Every range is checked against the allocations.
#include "driver.h"
#include "memory.h"
#include "queue.h"
#include "report.h"
#include "shadow.h"

#include <cstring>

namespace emulator {
namespace {

enum class Side { host, device, either };

struct Transfer {
  const char* name;
  Side to_side, from_side;
  void* to;
  const void* from;
  size_t bytes;
};

void* pointer(CUdeviceptr address) { return reinterpret_cast<void*>(address); }

bool on_this_device(const Context& c, const void* p, size_t bytes) {
  const Allocation* a = find_allocation(p, bytes);
  return a && a->device == c.device;
}

// check_side looks at one end of a transfer. An asynchronous one takes its host
// memory when the device comes to it, so that memory must be page-locked.
CUresult check_side(const Context& c, const Transfer& t, Side side, const void* p, bool later) {
  if (side == Side::device) {
    if (on_this_device(c, p, t.bytes)) return CUDA_SUCCESS;
    report("%s: %zu bytes at %p are not in one allocation of the device: the start is %s", t.name,
           t.bytes, p, describe_address(p).c_str());
    return CUDA_ERROR_INVALID_VALUE;
  }
  if (!p) return CUDA_ERROR_INVALID_VALUE;
  if (!later || find_allocation(p, t.bytes)) return CUDA_SUCCESS;
  report("%s: the host memory at %p is not page-locked: take it from cuMemAllocHost", t.name, p);
  return CUDA_ERROR_INVALID_VALUE;
}

CUresult check(const Context& c, const Transfer& t, bool later) {
  if (const CUresult error = check_side(c, t, t.to_side, t.to, later)) return error;
  return check_side(c, t, t.from_side, t.from, later);
}

// ready makes everything that a synchronous call must wait for done.
CUresult ready(Context& c, const char* name) {
  if (const CUresult error = join_legacy(c)) return error;
  if (forbidden_in_capture(name)) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
  drain_stream(c.legacy);
  return c.error;
}

void copy(const Transfer& t) {
  memmove(t.to, t.from, t.bytes);
  note_host_write(t.to, t.bytes);
}

CUresult copy_now(const Transfer& t) {
  return inside(t.name, anywhere, [&](Context& c) {
    if (!t.bytes) return CUDA_SUCCESS;
    if (const CUresult error = check(c, t, false)) return error;
    if (const CUresult error = ready(c, t.name)) return error;
    copy(t);
    return CUDA_SUCCESS;
  });
}

CUresult copy_later(const Transfer& t, CUstream handle) {
  return inside(t.name, anywhere, [&](Context& c) {
    Stream* stream = find_stream(c, handle);
    if (!stream) return CUDA_ERROR_INVALID_HANDLE;
    if (!t.bytes) return CUDA_SUCCESS;
    if (const CUresult error = check(c, t, true)) return error;
    return enqueue(*stream, [t](Context& at) {
      // A graph may be replayed after its memory was freed.
      if (check(at, t, true)) return CUDA_ERROR_ILLEGAL_ADDRESS;
      copy(t);
      return CUDA_SUCCESS;
    });
  });
}

struct Fill {
  const char* name;
  CUdeviceptr to;
  unsigned value;
  size_t element, count;
};

CUresult check(const Context& c, const Fill& f) {
  if (f.to % f.element || f.count > SIZE_MAX / f.element) return CUDA_ERROR_INVALID_VALUE;
  const Transfer t = {f.name, Side::device, Side::device, nullptr, nullptr, f.count * f.element};
  return check_side(c, t, Side::device, pointer(f.to), false);
}

void fill(const Fill& f) {
  unsigned char* to = static_cast<unsigned char*>(pointer(f.to));
  for (size_t i = 0; i < f.count; i++) memcpy(to + i * f.element, &f.value, f.element);
  note_host_write(to, f.count * f.element);
}

CUresult fill_now(const Fill& f) {
  return inside(f.name, anywhere, [&](Context& c) {
    if (!f.count) return CUDA_SUCCESS;
    if (const CUresult error = check(c, f)) return error;
    if (const CUresult error = ready(c, f.name)) return error;
    fill(f);
    return CUDA_SUCCESS;
  });
}

CUresult fill_later(const Fill& f, CUstream handle) {
  return inside(f.name, anywhere, [&](Context& c) {
    Stream* stream = find_stream(c, handle);
    if (!stream) return CUDA_ERROR_INVALID_HANDLE;
    if (!f.count) return CUDA_SUCCESS;
    if (const CUresult error = check(c, f)) return error;
    return enqueue(*stream, [f](Context& at) {
      if (check(at, f)) return CUDA_ERROR_ILLEGAL_ADDRESS;
      fill(f);
      return CUDA_SUCCESS;
    });
  });
}

} // namespace

EMULATOR_API cuMemcpy(CUdeviceptr to, CUdeviceptr from, size_t bytes) {
  return copy_now({"cuMemcpy", Side::either, Side::either, pointer(to), pointer(from), bytes});
}

EMULATOR_API cuMemcpyAsync(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream) {
  return copy_later({"cuMemcpyAsync", Side::either, Side::either, pointer(to), pointer(from), bytes},
                    stream);
}

EMULATOR_API cuMemcpyHtoD_v2(CUdeviceptr to, const void* from, size_t bytes) {
  return copy_now({"cuMemcpyHtoD", Side::device, Side::host, pointer(to), from, bytes});
}

EMULATOR_API cuMemcpyDtoH_v2(void* to, CUdeviceptr from, size_t bytes) {
  return copy_now({"cuMemcpyDtoH", Side::host, Side::device, to, pointer(from), bytes});
}

EMULATOR_API cuMemcpyDtoD_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes) {
  return copy_now({"cuMemcpyDtoD", Side::device, Side::device, pointer(to), pointer(from), bytes});
}

EMULATOR_API cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void* from, size_t bytes, CUstream s) {
  return copy_later({"cuMemcpyHtoDAsync", Side::device, Side::host, pointer(to), from, bytes}, s);
}

EMULATOR_API cuMemcpyDtoHAsync_v2(void* to, CUdeviceptr from, size_t bytes, CUstream s) {
  return copy_later({"cuMemcpyDtoHAsync", Side::host, Side::device, to, pointer(from), bytes}, s);
}

EMULATOR_API cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream s) {
  return copy_later(
      {"cuMemcpyDtoDAsync", Side::device, Side::device, pointer(to), pointer(from), bytes}, s);
}

EMULATOR_API cuMemsetD8_v2(CUdeviceptr to, unsigned char value, size_t count) {
  return fill_now({"cuMemsetD8", to, value, 1, count});
}

EMULATOR_API cuMemsetD16_v2(CUdeviceptr to, unsigned short value, size_t count) {
  return fill_now({"cuMemsetD16", to, value, 2, count});
}

EMULATOR_API cuMemsetD32_v2(CUdeviceptr to, unsigned value, size_t count) {
  return fill_now({"cuMemsetD32", to, value, 4, count});
}

EMULATOR_API cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t count, CUstream s) {
  return fill_later({"cuMemsetD8Async", to, value, 1, count}, s);
}

EMULATOR_API cuMemsetD16Async(CUdeviceptr to, unsigned short value, size_t count, CUstream s) {
  return fill_later({"cuMemsetD16Async", to, value, 2, count}, s);
}

EMULATOR_API cuMemsetD32Async(CUdeviceptr to, unsigned value, size_t count, CUstream s) {
  return fill_later({"cuMemsetD32Async", to, value, 4, count}, s);
}

} // namespace emulator
