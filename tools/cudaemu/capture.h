// Capture of streams into graphs.
#pragma once

#include "driver.h"

namespace emulator {

CUresult begin_capture(Stream& stream, int mode);

// end_capture ends the capture that the stream began and moves its nodes out.
CUresult end_capture(Stream& stream, std::vector<SharedOperation>& nodes);

// capture_record records an event in a stream that is captured.
CUresult capture_record(Stream& stream, Event& event);

// capture_wait makes a stream wait for an event, where one or both are captured.
// A stream that waits for a captured event joins the capture.
CUresult capture_wait(Stream& stream, Event& event);

// refuse_captured fails for a call that is never permitted on a captured stream,
// and invalidates the capture.
CUresult refuse_captured(Stream& stream, const char* name);

} // namespace emulator
