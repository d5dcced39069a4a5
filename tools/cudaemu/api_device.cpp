// Initialisation and devices.
#include "driver.h"
#include "inject.h"
#include "settings.h"

#include <cstdio>
#include <cstring>

namespace emulator {
namespace {

bool exists(CUdevice device) { return device >= 0 && device < int(driver().contexts.size()); }

constexpr int processors = 4;
constexpr int registers = 65536; // of a multiprocessor, and of a block at most

// attribute returns the value of a CUdevice_attribute.
int attribute(int which) {
  const Settings& s = settings();
  const Limits l = limits();
  switch (which) {
  case 1: // threads of a block
  case 2: // its width
  case 3: // its height
    return 1024;
  case 4: // its depth
    return 64;
  case 5: // width of a grid
    return 2147483647;
  case 6: // its height
  case 7: // its depth
    return 65535;
  case 8: // shared memory of a block
    return shared_default;
  case 9: // constant memory
    return 65536;
  case 10: // threads of a warp
    return 32;
  case 11: // greatest pitch
    return 2147483647;
  case 12: // registers of a block
  case 82: // and of a multiprocessor
    return registers;
  case 13: // kHz
  case 36: // kHz of the memory
    return 1000000;
  case 14: // alignment of textures
    return 512;
  case 16: // multiprocessors
    return processors;
  case 37: // bits of the memory bus
    return 128;
  case 38: // bytes of second-level cache
    return 1 << 20;
  case 39: // threads of a multiprocessor
    return l.threads_multiprocessor;
  case 40: // copy engines
    return 1;
  case 15: // copies overlap with kernels
  case 19: // maps host memory
  case 31: // kernels run at once
  case 41: // one address space
  case 78: // streams have priorities
  case 79: // first-level cache for global memory
  case 80: // and for local memory
  case 90: // preemption
    return 1;
  case 75: // compute capability
    return s.major;
  case 76:
    return s.minor;
  case 81: // shared memory of a multiprocessor
    return l.shared_multiprocessor;
  case 97: // shared memory that a block can ask for
    return l.shared_optin;
  case 106: // blocks of a multiprocessor
    return l.blocks_multiprocessor;
  case 111: // shared memory kept by the system
    return 1024;
  default:
    return 0;
  }
}

constexpr int last_attribute = 130;

} // namespace

EMULATOR_API cuInit(unsigned flags) {
  Driver& d = driver();
  std::lock_guard<std::mutex> lock(d.mutex);
  if (flags) return CUDA_ERROR_INVALID_VALUE;
  if (d.initialised) return CUDA_SUCCESS;
  read_settings();
  read_demands();
  if (const CUresult error = injected("cuInit")) return error;
  if (!settings().devices) return CUDA_ERROR_NO_DEVICE;
  for (int i = 0; i < settings().devices; i++) {
    Context* context = new Context;
    context->device = i;
    context->legacy.context = context;
    d.contexts.push_back(context);
  }
  d.initialised = true;
  return CUDA_SUCCESS;
}

EMULATOR_API cuDriverGetVersion(int* version) {
  if (!version) return CUDA_ERROR_INVALID_VALUE;
  std::lock_guard<std::mutex> lock(driver().mutex);
  if (!driver().initialised) read_settings();
  *version = settings().driver_version;
  return CUDA_SUCCESS;
}

EMULATOR_API cuDeviceGetCount(int* count) {
  return outside("cuDeviceGetCount", [&](Driver& d) {
    if (!count) return CUDA_ERROR_INVALID_VALUE;
    *count = int(d.contexts.size());
    return CUDA_SUCCESS;
  });
}

EMULATOR_API cuDeviceGet(CUdevice* device, int ordinal) {
  return outside("cuDeviceGet", [&](Driver&) {
    if (!device) return CUDA_ERROR_INVALID_VALUE;
    if (!exists(ordinal)) return CUDA_ERROR_INVALID_DEVICE;
    *device = ordinal;
    return CUDA_SUCCESS;
  });
}

EMULATOR_API cuDeviceGetName(char* name, int length, CUdevice device) {
  return outside("cuDeviceGetName", [&](Driver&) {
    if (!name || length < 1) return CUDA_ERROR_INVALID_VALUE;
    if (!exists(device)) return CUDA_ERROR_INVALID_DEVICE;
    snprintf(name, size_t(length), "EDM emulated device %d", device);
    return CUDA_SUCCESS;
  });
}

static CUresult device_uuid(const char* call, CUuuid* uuid, CUdevice device) {
  return outside(call, [&](Driver&) {
    if (!uuid) return CUDA_ERROR_INVALID_VALUE;
    if (!exists(device)) return CUDA_ERROR_INVALID_DEVICE;
    memcpy(uuid->bytes, "EDM emulated dev", sizeof uuid->bytes);
    uuid->bytes[15] = char(device);
    return CUDA_SUCCESS;
  });
}

EMULATOR_API cuDeviceGetUuid(CUuuid* uuid, CUdevice device) {
  return device_uuid("cuDeviceGetUuid", uuid, device);
}

EMULATOR_API cuDeviceGetUuid_v2(CUuuid* uuid, CUdevice device) {
  return device_uuid("cuDeviceGetUuid", uuid, device);
}

EMULATOR_API cuDeviceTotalMem_v2(size_t* bytes, CUdevice device) {
  return outside("cuDeviceTotalMem", [&](Driver&) {
    if (!bytes) return CUDA_ERROR_INVALID_VALUE;
    if (!exists(device)) return CUDA_ERROR_INVALID_DEVICE;
    *bytes = settings().memory;
    return CUDA_SUCCESS;
  });
}

EMULATOR_API cuDeviceGetAttribute(int* value, int which, CUdevice device) {
  return outside("cuDeviceGetAttribute", [&](Driver&) {
    if (!value || which < 1 || which > last_attribute) return CUDA_ERROR_INVALID_VALUE;
    if (!exists(device)) return CUDA_ERROR_INVALID_DEVICE;
    *value = attribute(which);
    return CUDA_SUCCESS;
  });
}

EMULATOR_API cuDeviceCanAccessPeer(int* can, CUdevice device, CUdevice peer) {
  return outside("cuDeviceCanAccessPeer", [&](Driver&) {
    if (!can) return CUDA_ERROR_INVALID_VALUE;
    if (!exists(device) || !exists(peer)) return CUDA_ERROR_INVALID_DEVICE;
    *can = 0;
    return CUDA_SUCCESS;
  });
}

EMULATOR_API cuDevicePrimaryCtxRetain(CUcontext* out, CUdevice device) {
  return outside("cuDevicePrimaryCtxRetain", [&](Driver& d) {
    if (!out) return CUDA_ERROR_INVALID_VALUE;
    if (!exists(device)) return CUDA_ERROR_INVALID_DEVICE;
    Context* context = d.contexts[size_t(device)];
    context->retained++;
    *out = reinterpret_cast<CUcontext>(context);
    return CUDA_SUCCESS;
  });
}

EMULATOR_API cuDevicePrimaryCtxRelease_v2(CUdevice device) {
  return outside("cuDevicePrimaryCtxRelease", [&](Driver& d) {
    if (!exists(device)) return CUDA_ERROR_INVALID_DEVICE;
    Context& context = *d.contexts[size_t(device)];
    if (!context.retained) return CUDA_ERROR_INVALID_CONTEXT;
    if (--context.retained == 0) destroy_resources(context);
    return CUDA_SUCCESS;
  });
}

EMULATOR_API cuDevicePrimaryCtxReset_v2(CUdevice device) {
  return outside("cuDevicePrimaryCtxReset", [&](Driver& d) {
    if (!exists(device)) return CUDA_ERROR_INVALID_DEVICE;
    destroy_resources(*d.contexts[size_t(device)]);
    return CUDA_SUCCESS;
  });
}

EMULATOR_API cuDevicePrimaryCtxSetFlags_v2(CUdevice device, unsigned flags) {
  return outside("cuDevicePrimaryCtxSetFlags", [&](Driver& d) {
    if (!exists(device)) return CUDA_ERROR_INVALID_DEVICE;
    d.contexts[size_t(device)]->flags = flags;
    return CUDA_SUCCESS;
  });
}

EMULATOR_API cuDevicePrimaryCtxGetState(CUdevice device, unsigned* flags, int* active) {
  return outside("cuDevicePrimaryCtxGetState", [&](Driver& d) {
    if (!flags || !active) return CUDA_ERROR_INVALID_VALUE;
    if (!exists(device)) return CUDA_ERROR_INVALID_DEVICE;
    *flags = d.contexts[size_t(device)]->flags;
    *active = d.contexts[size_t(device)]->retained > 0;
    return CUDA_SUCCESS;
  });
}

} // namespace emulator
