// Modules and functions.
#include "module.h"
#include "report.h"
#include "settings.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <sstream>

namespace emulator {
namespace {

// Log is a buffer of the caller's for messages, among the options of a load.
class Log {
public:
  Log(JitOption buffer, JitOption bytes, unsigned count, const int* options, void** values) {
    for (unsigned i = 0; i < count; i++) {
      if (options[i] == buffer) text_ = static_cast<char*>(values[i]);
      if (options[i] == bytes) size_ = &values[i];
    }
  }

  // write stores what fits and how much that is, as the driver does.
  void write(const std::string& text) {
    if (!size_) return;
    const size_t room = reinterpret_cast<size_t>(*size_);
    const size_t length = text_ && room ? std::min(room - 1, text.size()) : 0;
    if (text_ && room) {
      memcpy(text_, text.data(), length);
      text_[length] = 0;
    }
    *size_ = reinterpret_cast<void*>(length ? length + 1 : 0);
  }

private:
  char* text_ = nullptr;
  void** size_ = nullptr;
};

CUresult load(const char* name, CUmodule* out, const char* image, unsigned count, const int* options,
              void** values) {
  return inside(name, never_in_capture, [&](Context& c) {
    if (!out || !image || (count && (!options || !values))) return CUDA_ERROR_INVALID_VALUE;
    std::unique_ptr<Module> module;
    std::string log;
    const CUresult error = load_module(image, module, log);
    Log(info_log, info_log_bytes, count, options, values).write("");
    Log(error_log, error_log_bytes, count, options, values).write(log);
    if (error) {
      if (!count) report("%s: %s", name, log.c_str());
      return error;
    }
    for (auto& entry : module->functions) c.functions[entry.second.get()] = entry.second;
    c.modules.insert(module.get());
    *out = reinterpret_cast<CUmodule>(module.release());
    return CUDA_SUCCESS;
  });
}

Module* find_module(Context& c, CUmodule handle) {
  Module* module = reinterpret_cast<Module*>(handle);
  return c.modules.count(module) ? module : nullptr;
}

CUresult get_attribute(const Function& f, int which, int& value) {
  switch (which) {
  case max_threads_per_block: value = f.max_threads; break;
  case registers: value = 32; break;
  case ptx_version: value = f.version; break;
  case binary_version: value = 10 * settings().major + settings().minor; break;
  case max_dynamic_shared_bytes:
    value = int(std::max(f.max_dynamic, unsigned(shared_default)));
    break;
  case shared_carveout: value = -1; break;
  case static_shared_bytes:
  case constant_bytes:
  case local_bytes:
  case cache_mode: value = 0; break;
  default: return CUDA_ERROR_INVALID_VALUE;
  }
  return CUDA_SUCCESS;
}

} // namespace

EMULATOR_API cuModuleLoadDataEx(CUmodule* out, const void* image, unsigned count, int* options,
                                void** values) {
  return load("cuModuleLoadDataEx", out, static_cast<const char*>(image), count, options, values);
}

EMULATOR_API cuModuleLoadData(CUmodule* out, const void* image) {
  return load("cuModuleLoadData", out, static_cast<const char*>(image), 0, nullptr, nullptr);
}

EMULATOR_API cuModuleLoad(CUmodule* out, const char* path) {
  std::ifstream in(path ? path : "");
  if (!in) return CUDA_ERROR_FILE_NOT_FOUND;
  std::ostringstream text;
  text << in.rdbuf();
  return load("cuModuleLoad", out, text.str().c_str(), 0, nullptr, nullptr);
}

EMULATOR_API cuModuleUnload(CUmodule handle) {
  return inside("cuModuleUnload", never_in_capture, [&](Context& c) {
    Module* module = find_module(c, handle);
    if (!module) return CUDA_ERROR_INVALID_HANDLE;
    for (auto& entry : module->functions) {
      entry.second->module = nullptr;
      c.functions.erase(entry.second.get());
    }
    c.modules.erase(module);
    delete module;
    return CUDA_SUCCESS;
  });
}

EMULATOR_API cuModuleGetFunction(CUfunction* out, CUmodule handle, const char* name) {
  return inside("cuModuleGetFunction", anywhere, [&](Context& c) {
    if (!out || !name) return CUDA_ERROR_INVALID_VALUE;
    Module* module = find_module(c, handle);
    if (!module) return CUDA_ERROR_INVALID_HANDLE;
    const auto at = module->functions.find(name);
    if (at == module->functions.end()) return CUDA_ERROR_NOT_FOUND;
    *out = reinterpret_cast<CUfunction>(at->second.get());
    return CUDA_SUCCESS;
  });
}

EMULATOR_API cuModuleGetGlobal_v2(CUdeviceptr*, size_t*, CUmodule, const char*) {
  return inside("cuModuleGetGlobal", anywhere, [](Context&) { return CUDA_ERROR_NOT_FOUND; });
}

EMULATOR_API cuFuncGetAttribute(int* value, int which, CUfunction handle) {
  return inside("cuFuncGetAttribute", anywhere, [&](Context& c) {
    const auto function = find_function(c, handle);
    if (!value) return CUDA_ERROR_INVALID_VALUE;
    if (!function) return CUDA_ERROR_INVALID_HANDLE;
    return get_attribute(*function, which, *value);
  });
}

EMULATOR_API cuFuncSetAttribute(CUfunction handle, int which, int value) {
  return inside("cuFuncSetAttribute", anywhere, [&](Context& c) {
    const auto function = find_function(c, handle);
    if (!function) return CUDA_ERROR_INVALID_HANDLE;
    if (which == shared_carveout) return CUDA_SUCCESS;
    if (which != max_dynamic_shared_bytes) return CUDA_ERROR_INVALID_VALUE;
    if (value < 0 || value > limits().shared_optin) {
      report("cuFuncSetAttribute: kernel %s asks for %d bytes of shared memory, the device gives %d",
             function->kernel->name, value, limits().shared_optin);
      return CUDA_ERROR_INVALID_VALUE;
    }
    function->max_dynamic = unsigned(value);
    return CUDA_SUCCESS;
  });
}

EMULATOR_API cuFuncSetCacheConfig(CUfunction handle, int) {
  return inside("cuFuncSetCacheConfig", anywhere, [&](Context& c) {
    return find_function(c, handle) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
  });
}

EMULATOR_API cuFuncSetSharedMemConfig(CUfunction handle, int) {
  return inside("cuFuncSetSharedMemConfig", anywhere, [&](Context& c) {
    return find_function(c, handle) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
  });
}

EMULATOR_API cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, CUfunction handle, int threads,
                                                         size_t shared) {
  return inside("cuOccupancyMaxActiveBlocksPerMultiprocessor", anywhere, [&](Context& c) {
    if (!blocks || threads < 1) return CUDA_ERROR_INVALID_VALUE;
    if (!find_function(c, handle)) return CUDA_ERROR_INVALID_HANDLE;
    const Limits l = limits();
    constexpr size_t reserved = 1024;
    const int by_shared = int(size_t(l.shared_multiprocessor) / (shared + reserved));
    *blocks = std::min({l.blocks_multiprocessor, l.threads_multiprocessor / threads, by_shared});
    return CUDA_SUCCESS;
  });
}

} // namespace emulator
