// Work that streams have yet to do. Callers hold the driver's lock.
#pragma once

#include "driver.h"

namespace emulator {

// find_stream returns the stream of a handle, or nullptr.
Stream* find_stream(Context& context, CUstream handle);

// enqueue adds an operation to a stream, or to the graph that it captures.
CUresult enqueue(Stream& stream, Operation operation);

// enqueue_record adds a record of an event, enqueue_wait a wait for its last.
void enqueue_record(Stream& stream, Event& event);
void enqueue_wait(Stream& stream, const Event& event);

// settle_legacy keeps the order between the legacy stream and those that wait
// for it: it does what the others have queued.
void settle_legacy(Stream& stream);

// join_legacy is settle_legacy for a call that works on the legacy stream and
// returns when it is done. It fails while a stream that waits for the legacy
// stream is captured.
CUresult join_legacy(Context& context);

void drain_stream(Stream& stream);
void drain_context(Context& context);
void drain_record(Record& record);
// advance does one item of a stream.
void advance(Stream& stream);

} // namespace emulator
