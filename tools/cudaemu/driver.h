// The driver's state, and the frame around each of its calls.
//
// Work in streams is queued and carried out as late as the program lets it: when
// something waits for it. A missing wait then shows. EDM_EMULATOR_STREAMS=eager
// carries it out at once, which is the other extreme a device is free to choose.
#pragma once

#include "abi.h"
#include "device.h"

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <set>
#include <string>
#include <thread>
#include <vector>

#define EMULATOR_API extern "C" __attribute__((visibility("default"))) CUresult

namespace emulator {

struct Context;
struct Stream;

// Operation is work for the device with frozen arguments. It runs on the
// device's thread and returns an error that stays with the context.
using Operation = std::function<CUresult(Context&)>;
using SharedOperation = std::shared_ptr<const Operation>;

struct Capture;

// Record is one record of an event in a stream. An event may be recorded again
// while others still wait for what it stood for before.
struct Record {
  Stream* stream;
  bool done = false;
  std::chrono::steady_clock::time_point time;
};

struct Event {
  unsigned flags = 0;
  std::shared_ptr<Record> record; // the last, or none
  uint64_t capture = 0;           // the id of the capture that recorded it last, or 0
  std::map<Stream*, size_t> seen; // nodes that a wait for it waits for there
};

// Item is what a stream has yet to do: an operation, or a record of an event or
// a wait for one.
struct Item {
  SharedOperation operation;
  std::shared_ptr<Record> record;
  bool wait;
};

struct Stream {
  Context* context = nullptr;
  unsigned flags = 0;
  int priority = 0;
  std::deque<Item> items;
  Capture* capture = nullptr;
};

// Capture is one graph being captured, by one stream or by several that joined
// through events. Nodes are in the order in which they were captured, which
// satisfies every dependency.
struct Capture {
  // Branch is one stream's part: how many nodes there were when each stream, it
  // among them, captured the last node that this one comes after.
  using Branch = std::map<Stream*, size_t>;
  uint64_t id = 0;
  Stream* origin = nullptr;
  int mode = capture_global;
  std::thread::id owner;
  bool invalid = false;
  std::vector<SharedOperation> nodes;
  std::map<Stream*, Branch> branches;
};

struct Function;
struct Module;

struct Graph {
  std::vector<SharedOperation> nodes;
};

// Context is a device's primary context. It exists as long as the process; it is
// active while somebody retains it.
struct Context {
  int device = 0;
  int retained = 0;
  unsigned flags = 0;
  CUresult error = CUDA_SUCCESS; // stays until the context is reset
  Stream legacy;                 // the stream of handle 0
  std::set<Stream*> streams;
  std::map<void*, std::unique_ptr<Event>> events;
  std::set<Module*> modules;
  std::map<void*, std::shared_ptr<Function>> functions;
  std::set<Graph*> graphs, executables;
  std::map<uint64_t, std::unique_ptr<Capture>> captures;
  std::map<int, size_t> limits;
};

struct Driver {
  std::mutex mutex;
  bool initialised = false;
  std::vector<Context*> contexts; // of each device
  uint64_t launches = 0;
  uint64_t captures = 0;
};
Driver& driver();

// ThreadState is what the driver keeps for each thread of the program.
struct ThreadState {
  static constexpr int depth = 16;
  Context* stack[depth];
  int count;
  int capture_mode;
};
ThreadState& thread_state();

// current_context returns the thread's, or nullptr.
Context* current_context();

// destroy_resources ends all that lives in a context and its error.
void destroy_resources(Context& context);

// forbidden_in_capture tells whether a call that might wait implicitly is
// prohibited, and if so invalidates the captures that prohibit it.
bool forbidden_in_capture(const char* name);

// injected returns the error that EDM_EMULATOR_FAIL asks for at this call of a
// driver function, or launch of a kernel.
CUresult injected(const char* name);

// stays tells whether an error makes a context useless.
bool stays(CUresult error);

enum Rule { anywhere, never_in_capture };

// outside runs a call that needs an initialised driver, but no context.
template <class Body> CUresult outside(const char* name, Body body) {
  Driver& d = driver();
  std::lock_guard<std::mutex> lock(d.mutex);
  if (!d.initialised) return CUDA_ERROR_NOT_INITIALIZED;
  if (const CUresult error = injected(name)) return error;
  try {
    return body(d);
  } catch (const std::bad_alloc&) {
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
}

// inside runs a call that needs a current context.
template <class Body> CUresult inside(const char* name, Rule rule, Body body) {
  return outside(name, [&](Driver&) {
    Context* context = current_context();
    if (!context) return CUDA_ERROR_INVALID_CONTEXT;
    if (!context->retained) return CUDA_ERROR_CONTEXT_IS_DESTROYED;
    if (context->error) return context->error;
    if (rule == never_in_capture && forbidden_in_capture(name)) {
      return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    }
    return body(*context);
  });
}

} // namespace emulator
