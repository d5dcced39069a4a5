// Faults on demand: EDM_EMULATOR_FAIL.
#pragma once

#include "driver.h"

namespace emulator {

// read_demands reads the variable again and starts counting anew.
void read_demands();

// base_name returns a function's name without its version: cuMemAlloc_v2 is
// cuMemAlloc.
std::string base_name(std::string name);

// error_named finds an error by its full name.
bool error_named(const std::string& name, CUresult& error);

} // namespace emulator
