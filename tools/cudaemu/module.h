// Loaded modules and their functions.
#pragma once

#include "driver.h"
#include "ptx.h"

namespace emulator {

struct Function {
  const Kernel* kernel = nullptr;
  Module* module = nullptr; // nullptr once it is unloaded
  bool marked = false;      // launches have one more argument, the address of a word
  int max_threads = 1024;
  int version = 0, target = 0; // of its PTX
  unsigned max_dynamic = 0;    // bytes of shared memory, cuFuncSetAttribute
};

struct Module {
  std::map<std::string, std::shared_ptr<Function>> functions;
};

// load_module binds the kernels of a PTX text to those of this library.
CUresult load_module(const std::string& text, std::unique_ptr<Module>& module, std::string& log);

// find_function returns the function of a handle, or nullptr.
std::shared_ptr<Function> find_function(Context& context, CUfunction handle);

} // namespace emulator
