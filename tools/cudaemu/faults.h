// Signals that a kernel causes.
#pragma once

namespace emulator {

// catch_faults installs handlers that end the block whose thread caused a
// signal, and pass every other signal on to the handlers that were there: a Go
// program has its own. Call it after the program has installed them.
void catch_faults();

// enter_device_thread blocks the signals that are not for this thread and gives
// it a stack for handlers.
void enter_device_thread();

} // namespace emulator
