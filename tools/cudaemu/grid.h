// The threads on which kernels run.
#pragma once

#include "block.h"

#include <functional>

namespace emulator {

// on_device runs work on the device's thread and waits for it: kernels do not
// run on the caller's threads, whose signal handlers and stacks are not ours.
void on_device(const std::function<void()>& work);

// run_grid executes a grid, on the device's thread and helpers. Results do not
// depend on how many there are. Call it in on_device's work only.
CUresult run_grid(const Grid& grid);

} // namespace emulator
