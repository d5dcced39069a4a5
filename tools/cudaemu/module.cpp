#include "module.h"

#include "kernels.h"
#include "report.h"
#include "settings.h"

namespace emulator {
namespace {

// newest_ptx returns the PTX version that a driver of the version set knows.
int newest_ptx() {
  const int major = settings().driver_version / 1000;
  const int minor = settings().driver_version / 10 % 100;
  switch (major) {
  case 11:
    return 70 + minor;
  case 12: // there is no 8.6 of its own: 12.7 was skipped
    return 80 + (minor < 7 ? minor : minor - 1);
  case 13:
    return 90 + minor;
  default:
    return major < 11 ? 65 : 99;
  }
}

CUresult check_versions(const PtxModule& ptx, std::string& log) {
  if (ptx.version > newest_ptx()) {
    log = format("ptxas fatal : Unsupported .version %d.%d; current version is '%d.%d'",
                 ptx.version / 10, ptx.version % 10, newest_ptx() / 10, newest_ptx() % 10);
    return CUDA_ERROR_UNSUPPORTED_PTX_VERSION;
  }
  const int device = 10 * settings().major + settings().minor;
  if (ptx.exact ? ptx.target != device : ptx.target > device) {
    log = format("ptxas fatal : .target sm_%d%s does not suit the device, which is sm_%d", ptx.target,
                 ptx.exact ? "a" : "", device);
    return CUDA_ERROR_INVALID_PTX;
  }
  return CUDA_SUCCESS;
}

// check_parameters compares what the device compiler and the host compiler
// understood.
bool check_parameters(const PtxEntry& entry, const Kernel& kernel, std::string& log) {
  if (int(entry.parameters.size()) != kernel.count) {
    log = format("kernel %s has %zu parameters in the PTX and %d in the emulated driver: build both "
                 "from the same source",
                 entry.name.c_str(), entry.parameters.size(), kernel.count);
    return false;
  }
  for (int i = 0; i < kernel.count; i++) {
    if (entry.parameters[size_t(i)] == kernel.parameters[i].size) continue;
    log = format("parameter %d of kernel %s has %d bytes in the PTX and %d in the emulated driver: "
                 "build both from the same source",
                 i, entry.name.c_str(), entry.parameters[size_t(i)], kernel.parameters[i].size);
    return false;
  }
  return true;
}

} // namespace

CUresult load_module(const std::string& text, std::unique_ptr<Module>& module, std::string& log) {
  PtxModule ptx;
  if (!parse_ptx(text, ptx, log)) return CUDA_ERROR_INVALID_PTX;
  if (const CUresult error = check_versions(ptx, log)) return error;
  module = std::make_unique<Module>();
  for (const PtxEntry& entry : ptx.entries) {
    const Kernel* kernel = find_kernel(entry.name, log);
    if (!kernel || !check_parameters(entry, *kernel, log)) return CUDA_ERROR_INVALID_PTX;
    auto function = std::make_shared<Function>();
    function->kernel = kernel;
    function->module = module.get();
    function->marked = entry.marked;
    function->max_threads = entry.max_threads;
    function->version = ptx.version;
    function->target = ptx.target;
    module->functions[entry.name] = function;
  }
  return CUDA_SUCCESS;
}

std::shared_ptr<Function> find_function(Context& context, CUfunction handle) {
  const auto at = context.functions.find(handle);
  return at == context.functions.end() ? nullptr : at->second;
}

} // namespace emulator
