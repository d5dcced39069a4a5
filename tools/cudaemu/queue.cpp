#include "queue.h"

#include "grid.h"
#include "memory.h"
#include "report.h"
#include "settings.h"

namespace emulator {
namespace {

bool blocking(const Stream& s) { return !(s.flags & stream_non_blocking); }

// The functions in this namespace run on the device's thread.

void run_until(const Record& record);

void run_next(Stream& stream) {
  const Item item = std::move(stream.items.front());
  stream.items.pop_front();
  Context& context = *stream.context;
  if (item.wait) {
    run_until(*item.record);
  } else if (item.record) {
    item.record->done = true;
    item.record->time = std::chrono::steady_clock::now();
  } else if (!context.error) {
    // After an error that stays the device does nothing more.
    const CUresult result = (*item.operation)(context);
    if (result) context.error = result;
  }
}

void run_all(Stream& stream) {
  while (!stream.items.empty()) run_next(stream);
}

// run_until does what was queued before the record in its stream. Waits name
// earlier records only, so this ends.
void run_until(const Record& record) {
  while (!record.done) run_next(*record.stream);
}

void push(Stream& stream, Item item) {
  settle_legacy(stream);
  stream.items.push_back(std::move(item));
  if (settings().eager) drain_stream(stream);
}

} // namespace

Stream* find_stream(Context& context, CUstream handle) {
  constexpr uintptr_t legacy = 1; // CU_STREAM_LEGACY
  const uintptr_t number = reinterpret_cast<uintptr_t>(handle);
  if (number == 0 || number == legacy) return &context.legacy;
  Stream* stream = reinterpret_cast<Stream*>(handle);
  return context.streams.count(stream) ? stream : nullptr;
}

CUresult enqueue(Stream& stream, Operation operation) {
  auto shared = std::make_shared<const Operation>(std::move(operation));
  if (Capture* capture = stream.capture) {
    if (capture->invalid) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    capture->nodes.push_back(shared);
    capture->branches[&stream][&stream] = capture->nodes.size();
    return CUDA_SUCCESS;
  }
  if (&stream == &stream.context->legacy) {
    if (const CUresult error = join_legacy(*stream.context)) return error;
  }
  push(stream, {shared, nullptr, false});
  return CUDA_SUCCESS;
}

void enqueue_record(Stream& stream, Event& event) {
  event.record = std::make_shared<Record>(Record{&stream, false, {}});
  event.capture = 0;
  push(stream, {nullptr, event.record, false});
}

void enqueue_wait(Stream& stream, const Event& event) {
  if (!event.record->done) push(stream, {nullptr, event.record, true});
}

void settle_legacy(Stream& stream) {
  Context& context = *stream.context;
  if (!blocking(stream)) return;
  if (&stream != &context.legacy) {
    drain_stream(context.legacy);
    return;
  }
  for (Stream* other : context.streams) {
    if (blocking(*other)) drain_stream(*other);
  }
}

CUresult join_legacy(Context& context) {
  bool captured = false;
  for (Stream* stream : context.streams) {
    if (!stream->capture || !blocking(*stream)) continue;
    report("work on the legacy stream is not permitted while a stream that waits for it is "
           "captured");
    stream->capture->invalid = true;
    captured = true;
  }
  if (captured) return CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
  settle_legacy(context.legacy);
  return CUDA_SUCCESS;
}

void drain_stream(Stream& stream) {
  if (!stream.items.empty()) on_device([&] { run_all(stream); });
}

void drain_context(Context& context) {
  drain_stream(context.legacy);
  for (Stream* stream : context.streams) drain_stream(*stream);
  if (!check_margins() && !context.error) context.error = CUDA_ERROR_ILLEGAL_ADDRESS;
}

void drain_record(Record& record) {
  if (!record.done) on_device([&] { run_until(record); });
}

void advance(Stream& stream) {
  if (!stream.items.empty()) on_device([&] { run_next(stream); });
}

} // namespace emulator
