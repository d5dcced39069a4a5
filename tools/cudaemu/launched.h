// Which kernels ran: EDM_EMULATOR_LAUNCHED.
#pragma once

namespace emulator {

// note_launched appends the name of a kernel to the file that is asked for, if any,
// when it runs for the first time in this process.
void note_launched(const char* kernel);

} // namespace emulator
