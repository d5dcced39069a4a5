// Streams, events, capture and graphs.
#include "harness.h"

#include <thread>

using namespace test;

namespace {

constexpr unsigned count = 32;

// Bench doubles what is in page-locked memory.
struct Bench {
  float* host;
  CUdeviceptr x, y;
  CUfunction scale;
  CUstream stream, other;

  Bench() {
    start();
    void* memory;
    OK(cuMemAllocHost_v2(&memory, 4 * count));
    host = static_cast<float*>(memory);
    OK(cuMemAlloc_v2(&x, 4 * count));
    OK(cuMemAlloc_v2(&y, 4 * count));
    scale = load("scale", "ppi");
    constexpr unsigned non_blocking = 1;
    OK(cuStreamCreate(&stream, non_blocking));
    OK(cuStreamCreate(&other, non_blocking));
    fill(1);
  }
  void fill(float value) {
    for (unsigned i = 0; i < count; i++) host[i] = value;
  }
  CUresult upload(CUstream s) { return cuMemcpyHtoDAsync_v2(x, host, 4 * count, s); }
  CUresult download(CUstream s) { return cuMemcpyDtoHAsync_v2(host, y, 4 * count, s); }
  CUresult multiply(int by, CUstream s) {
    return launch(scale, {1, count, 0}, Arguments().add(x).add(y).add(by), s);
  }
  void step(int by, CUstream s) {
    OK(upload(s));
    OK(multiply(by, s));
    OK(download(s));
  }
  void begin() { OK(cuStreamBeginCapture_v2(stream, emulator::capture_thread_local)); }
  CUgraph end(CUresult wanted) {
    CUgraph graph;
    EXPECT(cuStreamEndCapture(stream, &graph), wanted);
    CHECK((graph != nullptr) == (wanted == CUDA_SUCCESS));
    return graph;
  }
};

CUevent event() {
  CUevent e;
  OK(cuEventCreate(&e, 0));
  return e;
}

// forbids checks that a call fails in a capture and spoils it.
template <class Call> void forbids(CUresult wanted, Call call) {
  Bench b;
  b.begin();
  EXPECT(call(b), wanted);
  b.end(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
  b.step(2, b.stream); // the stream is as good as before
  OK(cuStreamSynchronize(b.stream));
  CHECK(b.host[0] == 2);
}

} // namespace

TEST(work_is_late, "") {
  Bench b;
  b.step(2, b.stream);
  CHECK(b.host[0] == 1);
  OK(cuStreamSynchronize(b.stream));
  CHECK(b.host[0] == 2);
}

TEST(work_is_eager, "", "EDM_EMULATOR_STREAMS=eager") {
  Bench b;
  b.step(2, b.stream);
  CHECK(b.host[0] == 2);
}

// A source that changes before the copy is done gives what was not meant.
TEST(staging_memory_reused_too_early, "") {
  Bench b;
  b.step(2, b.stream);
  b.fill(5);
  OK(cuStreamSynchronize(b.stream));
  CHECK(b.host[0] == 10);
}

TEST(streams_do_not_wait_for_each_other, "") {
  Bench b;
  OK(cuMemsetD32_v2(b.y, 0, count));
  b.step(2, b.stream);
  OK(b.download(b.other));
  OK(cuStreamSynchronize(b.other));
  CHECK(b.host[0] == 0);
}

TEST(events_order_streams, "") {
  Bench b;
  const CUevent uploaded = event(), computed = event();
  OK(b.upload(b.other));
  OK(cuEventRecord(uploaded, b.other));
  OK(cuStreamWaitEvent(b.stream, uploaded, 0));
  OK(b.multiply(3, b.stream));
  OK(cuEventRecord(computed, b.stream));
  EXPECT(cuEventQuery(computed), CUDA_ERROR_NOT_READY);
  OK(cuStreamWaitEvent(b.other, computed, 0));
  OK(b.download(b.other));
  OK(cuStreamSynchronize(b.other));
  CHECK(b.host[0] == 3);
  OK(cuEventQuery(computed));
  float milliseconds = -1;
  OK(cuEventElapsedTime(&milliseconds, uploaded, computed));
  CHECK(milliseconds >= 0);
}

TEST(queries_make_progress, "") {
  Bench b;
  b.step(2, b.stream);
  int queries = 0;
  while (cuStreamQuery(b.stream) == CUDA_ERROR_NOT_READY) queries++;
  CHECK(queries == 3 && b.host[0] == 2);
}

TEST(graphs_keep_arguments, "") {
  Bench b;
  b.begin();
  int status;
  OK(cuStreamIsCapturing(b.stream, &status));
  CHECK(status == emulator::capture_active);
  b.step(2, b.stream);
  const CUgraph graph = b.end(CUDA_SUCCESS);
  size_t nodes;
  OK(cuGraphGetNodes(graph, nullptr, &nodes));
  CHECK(nodes == 3);
  CUgraphExec exec;
  OK(cuGraphInstantiateWithFlags(&exec, graph, 0));
  OK(cuGraphDestroy(graph));
  OK(cuStreamSynchronize(b.stream));
  CHECK(b.host[0] == 1); // capture did nothing
  for (int i = 0; i < 2; i++) OK(cuGraphLaunch(exec, b.stream));
  OK(cuStreamSynchronize(b.stream));
  CHECK(b.host[0] == 4);
  OK(cuGraphExecDestroy(exec));
  EXPECT(cuGraphLaunch(exec, b.stream), CUDA_ERROR_INVALID_VALUE);
}

TEST(capture_of_two_streams, "") {
  Bench b;
  const CUevent fork = event(), join = event();
  b.begin();
  OK(b.upload(b.stream));
  OK(cuEventRecord(fork, b.stream));
  OK(cuStreamWaitEvent(b.other, fork, 0));
  OK(b.multiply(7, b.other));
  OK(cuEventRecord(join, b.other));
  OK(cuStreamWaitEvent(b.stream, join, 0));
  OK(b.download(b.stream));
  CUgraphExec exec;
  OK(cuGraphInstantiateWithFlags(&exec, b.end(CUDA_SUCCESS), 0));
  OK(cuGraphLaunch(exec, b.stream));
  OK(cuStreamSynchronize(b.stream));
  CHECK(b.host[0] == 7);
}

TEST(capture_that_is_not_joined, "") {
  Bench b;
  const CUevent fork = event();
  b.begin();
  OK(cuEventRecord(fork, b.stream));
  OK(cuStreamWaitEvent(b.other, fork, 0));
  OK(b.multiply(7, b.other));
  b.end(CUDA_ERROR_STREAM_CAPTURE_UNJOINED);
}

TEST(capture_forbids_waiting, "cuStreamSynchronize is not permitted") {
  forbids(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED,
          [](Bench& b) { return cuStreamSynchronize(b.stream); });
}

TEST(capture_forbids_waiting_for_the_device, "cuCtxSynchronize is not permitted") {
  forbids(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, [](Bench&) { return cuCtxSynchronize(); });
}

TEST(capture_forbids_allocation, "cuMemAlloc is not permitted") {
  forbids(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, [](Bench&) {
    CUdeviceptr p;
    return cuMemAlloc_v2(&p, 4);
  });
}

TEST(capture_forbids_synchronous_copies, "cuMemcpyDtoH is not permitted") {
  forbids(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED,
          [](Bench& b) { return cuMemcpyDtoH_v2(b.host, b.y, 4); });
}

TEST(capture_forbids_outer_events, "it waits for an event that was recorded outside") {
  forbids(CUDA_ERROR_STREAM_CAPTURE_ISOLATION, [](Bench& b) {
    const CUevent outer = event();
    OK(cuEventRecord(outer, b.other));
    return cuStreamWaitEvent(b.stream, outer, 0);
  });
}

TEST(capture_forbids_waiting_for_its_events, "the event was recorded in a stream that is captured") {
  forbids(CUDA_ERROR_CAPTURED_EVENT, [](Bench& b) {
    const CUevent inner = event();
    OK(cuEventRecord(inner, b.stream));
    return cuEventSynchronize(inner);
  });
}

TEST(capture_of_a_blocking_stream, "work on the legacy stream is not permitted") {
  Bench b;
  CUstream blocking;
  OK(cuStreamCreate(&blocking, 0));
  OK(cuStreamBeginCapture_v2(blocking, emulator::capture_thread_local));
  EXPECT(b.multiply(2, nullptr), CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
  CUgraph graph;
  EXPECT(cuStreamEndCapture(blocking, &graph), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
}

// Another thread may allocate meanwhile, but not end the capture.
TEST(capture_is_a_threads, "") {
  Bench b;
  b.begin();
  CUcontext context;
  OK(cuCtxGetCurrent(&context));
  std::thread([&] {
    OK(cuCtxSetCurrent(context));
    CUdeviceptr p;
    OK(cuMemAlloc_v2(&p, 4));
    CUgraph graph;
    EXPECT(cuStreamEndCapture(b.stream, &graph), CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD);
  }).join();
  b.end(CUDA_SUCCESS);
}

TEST(capture_that_was_not_begun, "") {
  Bench b;
  b.end(CUDA_ERROR_ILLEGAL_STATE);
}

TEST(blocking_streams_wait_for_the_legacy_stream, "") {
  Bench b;
  CUstream blocking;
  OK(cuStreamCreate(&blocking, 0));
  OK(b.upload(nullptr));
  OK(b.multiply(3, blocking));
  OK(b.download(blocking));
  OK(cuStreamSynchronize(blocking));
  CHECK(b.host[0] == 3);
}

TEST(graph_after_its_memory_was_freed, "kernel scale is") {
  Bench b;
  b.begin();
  OK(b.multiply(2, b.stream));
  CUgraphExec exec;
  OK(cuGraphInstantiateWithFlags(&exec, b.end(CUDA_SUCCESS), 0));
  OK(cuMemFree_v2(b.y));
  OK(cuGraphLaunch(exec, b.stream));
  EXPECT(cuStreamSynchronize(b.stream), CUDA_ERROR_ILLEGAL_ADDRESS);
}
