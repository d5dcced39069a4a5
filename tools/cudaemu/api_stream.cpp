// Streams.
#include "capture.h"
#include "queue.h"

namespace emulator {
namespace {

CUresult create(const char* name, CUstream* out, unsigned flags, int priority) {
  return inside(name, anywhere, [&](Context& c) {
    if (!out || flags > stream_non_blocking) return CUDA_ERROR_INVALID_VALUE;
    Stream* stream = new Stream;
    stream->context = &c;
    stream->flags = flags;
    stream->priority = priority;
    c.streams.insert(stream);
    *out = reinterpret_cast<CUstream>(stream);
    return CUDA_SUCCESS;
  });
}

// waiting runs a call that waits for a stream or asks how far it is.
template <class Body> CUresult waiting(const char* name, CUstream handle, Body body) {
  return inside(name, anywhere, [&](Context& c) {
    Stream* stream = find_stream(c, handle);
    if (!stream) return CUDA_ERROR_INVALID_HANDLE;
    if (stream->capture) return refuse_captured(*stream, name);
    if (stream == &c.legacy) {
      if (const CUresult error = join_legacy(c)) return error;
    }
    return body(c, *stream);
  });
}

} // namespace

EMULATOR_API cuStreamCreate(CUstream* out, unsigned flags) {
  return create("cuStreamCreate", out, flags, 0);
}

EMULATOR_API cuStreamCreateWithPriority(CUstream* out, unsigned flags, int priority) {
  return create("cuStreamCreateWithPriority", out, flags, priority);
}

EMULATOR_API cuStreamDestroy_v2(CUstream handle) {
  return waiting("cuStreamDestroy", handle, [](Context& c, Stream& stream) {
    if (&stream == &c.legacy) return CUDA_ERROR_INVALID_HANDLE;
    drain_stream(stream);
    c.streams.erase(&stream);
    delete &stream;
    return CUDA_SUCCESS;
  });
}

EMULATOR_API cuStreamSynchronize(CUstream handle) {
  return waiting("cuStreamSynchronize", handle, [](Context& c, Stream& stream) {
    drain_stream(stream);
    return c.error;
  });
}

EMULATOR_API cuStreamQuery(CUstream handle) {
  return waiting("cuStreamQuery", handle, [](Context& c, Stream& stream) {
    if (stream.items.empty()) return CUDA_SUCCESS;
    advance(stream);
    return c.error ? c.error : CUDA_ERROR_NOT_READY;
  });
}

EMULATOR_API cuStreamWaitEvent(CUstream handle, CUevent event_handle, unsigned) {
  return inside("cuStreamWaitEvent", anywhere, [&](Context& c) {
    Stream* stream = find_stream(c, handle);
    const auto at = c.events.find(event_handle);
    if (!stream || at == c.events.end()) return CUDA_ERROR_INVALID_HANDLE;
    Event& event = *at->second;
    if (!event.record && !event.capture) return CUDA_SUCCESS;
    if (stream->capture || event.capture) return capture_wait(*stream, event);
    enqueue_wait(*stream, event);
    return CUDA_SUCCESS;
  });
}

EMULATOR_API cuStreamGetFlags(CUstream handle, unsigned* flags) {
  return inside("cuStreamGetFlags", anywhere, [&](Context& c) {
    const Stream* stream = find_stream(c, handle);
    if (!stream) return CUDA_ERROR_INVALID_HANDLE;
    if (!flags) return CUDA_ERROR_INVALID_VALUE;
    *flags = stream->flags;
    return CUDA_SUCCESS;
  });
}

EMULATOR_API cuStreamGetPriority(CUstream handle, int* priority) {
  return inside("cuStreamGetPriority", anywhere, [&](Context& c) {
    const Stream* stream = find_stream(c, handle);
    if (!stream) return CUDA_ERROR_INVALID_HANDLE;
    if (!priority) return CUDA_ERROR_INVALID_VALUE;
    *priority = stream->priority;
    return CUDA_SUCCESS;
  });
}

} // namespace emulator
