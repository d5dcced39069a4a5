// The kernels compiled into this library, by name.
#pragma once

#include "device.h"

#include <string>

namespace emulator {

// find_kernel returns nullptr and says why in `problem` if there is no kernel of
// that name, or more than one.
const Kernel* find_kernel(const std::string& name, std::string& problem);

} // namespace emulator
