#include "capture.h"

#include "report.h"

#include <algorithm>

namespace emulator {
namespace {

CUresult invalidate(Capture& capture, CUresult error, const char* what) {
  report("the capture is invalid: %s", what);
  capture.invalid = true;
  return error;
}

// joined tells whether the origin comes after every node of every branch.
bool joined(Capture& capture) {
  const Capture::Branch& origin = capture.branches[capture.origin];
  for (const auto& [stream, branch] : capture.branches) {
    const auto own = branch.find(stream);
    const auto seen = origin.find(stream);
    if (own == branch.end()) continue;
    if (seen == origin.end() || seen->second < own->second) return false;
  }
  return true;
}

void forget(Capture& capture) {
  Context& context = *capture.origin->context;
  for (const auto& entry : capture.branches) entry.first->capture = nullptr;
  context.captures.erase(capture.id);
}

} // namespace

CUresult begin_capture(Stream& stream, int mode) {
  Context& context = *stream.context;
  if (&stream == &context.legacy) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
  if (stream.capture) return CUDA_ERROR_ILLEGAL_STATE;
  auto capture = std::make_unique<Capture>();
  capture->id = ++driver().captures;
  capture->origin = &stream;
  capture->mode = mode;
  capture->owner = std::this_thread::get_id();
  capture->branches[&stream];
  stream.capture = capture.get();
  context.captures[capture->id] = std::move(capture);
  return CUDA_SUCCESS;
}

CUresult end_capture(Stream& stream, std::vector<SharedOperation>& nodes) {
  Capture* capture = stream.capture;
  if (!capture) return CUDA_ERROR_ILLEGAL_STATE;
  if (capture->origin != &stream) return CUDA_ERROR_STREAM_CAPTURE_UNMATCHED;
  if (capture->mode != capture_relaxed && capture->owner != std::this_thread::get_id()) {
    return CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD;
  }
  CUresult error = CUDA_SUCCESS;
  if (capture->invalid) {
    error = CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
  } else if (!joined(*capture)) {
    error = CUDA_ERROR_STREAM_CAPTURE_UNJOINED;
  } else {
    nodes = std::move(capture->nodes);
  }
  forget(*capture);
  return error;
}

CUresult capture_record(Stream& stream, Event& event) {
  Capture& capture = *stream.capture;
  if (capture.invalid) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
  event.capture = capture.id;
  event.seen = capture.branches[&stream];
  return CUDA_SUCCESS;
}

CUresult capture_wait(Stream& stream, Event& event) {
  Context& context = *stream.context;
  if (!event.capture) {
    return invalidate(*stream.capture, CUDA_ERROR_STREAM_CAPTURE_ISOLATION,
                      "it waits for an event that was recorded outside");
  }
  const auto at = context.captures.find(event.capture);
  if (at == context.captures.end()) return CUDA_ERROR_CAPTURED_EVENT;
  Capture& capture = *at->second;
  if (capture.invalid) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
  if (stream.capture && stream.capture != &capture) {
    return invalidate(capture, CUDA_ERROR_STREAM_CAPTURE_MERGE,
                      "another capture waits for its event");
  }
  if (&stream == &context.legacy) {
    return invalidate(capture, CUDA_ERROR_STREAM_CAPTURE_IMPLICIT,
                      "the legacy stream waits for it");
  }
  stream.capture = &capture;
  Capture::Branch& branch = capture.branches[&stream];
  for (const auto& [other, position] : event.seen) {
    branch[other] = std::max(branch[other], position);
  }
  return CUDA_SUCCESS;
}

CUresult refuse_captured(Stream& stream, const char* name) {
  report("%s is not permitted on a stream that is captured", name);
  stream.capture->invalid = true;
  return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
}

} // namespace emulator
