// Events.
#include "capture.h"
#include "queue.h"
#include "report.h"

namespace emulator {
namespace {

// with_event runs a call on an event; `waits` tells whether it depends on the
// event's completion, which a captured event does not have.
template <class Body>
CUresult with_event(const char* name, CUevent handle, bool waits, Body body) {
  return inside(name, anywhere, [&](Context& c) {
    const auto at = c.events.find(handle);
    if (at == c.events.end()) return CUDA_ERROR_INVALID_HANDLE;
    Event& event = *at->second;
    if (waits && event.capture) {
      report("%s: the event was recorded in a stream that is captured", name);
      const auto capture = c.captures.find(event.capture);
      if (capture != c.captures.end()) capture->second->invalid = true;
      return CUDA_ERROR_CAPTURED_EVENT;
    }
    return body(c, event);
  });
}

} // namespace

EMULATOR_API cuEventCreate(CUevent* out, unsigned flags) {
  return inside("cuEventCreate", anywhere, [&](Context& c) {
    if (!out) return CUDA_ERROR_INVALID_VALUE;
    auto event = std::make_unique<Event>();
    event->flags = flags;
    *out = reinterpret_cast<CUevent>(event.get());
    c.events[*out] = std::move(event);
    return CUDA_SUCCESS;
  });
}

EMULATOR_API cuEventDestroy_v2(CUevent handle) {
  return with_event("cuEventDestroy", handle, false, [&](Context& c, Event&) {
    c.events.erase(handle);
    return CUDA_SUCCESS;
  });
}

EMULATOR_API cuEventRecord(CUevent handle, CUstream stream_handle) {
  return with_event("cuEventRecord", handle, false, [&](Context& c, Event& event) {
    Stream* stream = find_stream(c, stream_handle);
    if (!stream) return CUDA_ERROR_INVALID_HANDLE;
    if (stream->capture) return capture_record(*stream, event);
    if (stream == &c.legacy) {
      if (const CUresult error = join_legacy(c)) return error;
    }
    enqueue_record(*stream, event);
    return CUDA_SUCCESS;
  });
}

EMULATOR_API cuEventSynchronize(CUevent handle) {
  return with_event("cuEventSynchronize", handle, true, [](Context& c, Event& event) {
    if (event.record) drain_record(*event.record);
    return c.error;
  });
}

EMULATOR_API cuEventQuery(CUevent handle) {
  return with_event("cuEventQuery", handle, true, [](Context& c, Event& event) {
    if (!event.record || event.record->done) return CUDA_SUCCESS;
    advance(*event.record->stream);
    return c.error ? c.error : CUDA_ERROR_NOT_READY;
  });
}

EMULATOR_API cuEventElapsedTime(float* milliseconds, CUevent start, CUevent end) {
  return with_event("cuEventElapsedTime", start, true, [&](Context& c, Event& from) {
    const auto at = c.events.find(end);
    if (!milliseconds) return CUDA_ERROR_INVALID_VALUE;
    if (at == c.events.end()) return CUDA_ERROR_INVALID_HANDLE;
    const Event& to = *at->second;
    const bool timed = !((from.flags | to.flags) & event_disable_timing);
    if (!timed || !from.record || !to.record) return CUDA_ERROR_INVALID_HANDLE;
    if (!from.record->done || !to.record->done) return CUDA_ERROR_NOT_READY;
    const auto took = to.record->time - from.record->time;
    *milliseconds = std::chrono::duration<float, std::milli>(took).count();
    return CUDA_SUCCESS;
  });
}

} // namespace emulator
