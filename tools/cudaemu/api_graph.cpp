// Capture and graphs. A graph's nodes keep the arguments of their capture.
#include "capture.h"
#include "queue.h"

namespace emulator {
namespace {

Graph* find(std::set<Graph*>& graphs, void* handle) {
  Graph* graph = static_cast<Graph*>(handle);
  return graphs.count(graph) ? graph : nullptr;
}

CUresult destroy(std::set<Graph*>& graphs, void* handle) {
  Graph* graph = find(graphs, handle);
  if (!graph) return CUDA_ERROR_INVALID_VALUE;
  graphs.erase(graph);
  delete graph;
  return CUDA_SUCCESS;
}

} // namespace

EMULATOR_API cuStreamBeginCapture_v2(CUstream handle, int mode) {
  return inside("cuStreamBeginCapture", anywhere, [&](Context& c) {
    Stream* stream = find_stream(c, handle);
    if (!stream) return CUDA_ERROR_INVALID_HANDLE;
    if (mode < capture_global || mode > capture_relaxed) return CUDA_ERROR_INVALID_VALUE;
    return begin_capture(*stream, mode);
  });
}

EMULATOR_API cuStreamEndCapture(CUstream handle, CUgraph* out) {
  return inside("cuStreamEndCapture", anywhere, [&](Context& c) {
    Stream* stream = find_stream(c, handle);
    if (!stream) return CUDA_ERROR_INVALID_HANDLE;
    if (!out) return CUDA_ERROR_INVALID_VALUE;
    *out = nullptr;
    auto graph = std::make_unique<Graph>();
    if (const CUresult error = end_capture(*stream, graph->nodes)) return error;
    c.graphs.insert(graph.get());
    *out = reinterpret_cast<CUgraph>(graph.release());
    return CUDA_SUCCESS;
  });
}

EMULATOR_API cuStreamIsCapturing(CUstream handle, int* status) {
  return inside("cuStreamIsCapturing", anywhere, [&](Context& c) {
    const Stream* stream = find_stream(c, handle);
    if (!stream) return CUDA_ERROR_INVALID_HANDLE;
    if (!status) return CUDA_ERROR_INVALID_VALUE;
    *status = !stream->capture          ? capture_none
              : stream->capture->invalid ? capture_invalidated
                                         : capture_active;
    return CUDA_SUCCESS;
  });
}

EMULATOR_API cuThreadExchangeStreamCaptureMode(int* mode) {
  return outside("cuThreadExchangeStreamCaptureMode", [&](Driver&) {
    if (!mode || *mode < capture_global || *mode > capture_relaxed) return CUDA_ERROR_INVALID_VALUE;
    std::swap(*mode, thread_state().capture_mode);
    return CUDA_SUCCESS;
  });
}

EMULATOR_API cuGraphGetNodes(CUgraph handle, CUgraphNode* nodes, size_t* count) {
  return inside("cuGraphGetNodes", anywhere, [&](Context& c) {
    const Graph* graph = find(c.graphs, handle);
    if (!graph || !count) return CUDA_ERROR_INVALID_VALUE;
    const size_t room = nodes ? *count : 0;
    for (size_t i = 0; i < room && i < graph->nodes.size(); i++) {
      nodes[i] = reinterpret_cast<CUgraphNode>(const_cast<Operation*>(graph->nodes[i].get()));
    }
    *count = graph->nodes.size();
    return CUDA_SUCCESS;
  });
}

EMULATOR_API cuGraphInstantiateWithFlags(CUgraphExec* out, CUgraph handle, unsigned long long) {
  return inside("cuGraphInstantiate", anywhere, [&](Context& c) {
    const Graph* graph = find(c.graphs, handle);
    if (!graph || !out) return CUDA_ERROR_INVALID_VALUE;
    Graph* executable = new Graph(*graph);
    c.executables.insert(executable);
    *out = reinterpret_cast<CUgraphExec>(executable);
    return CUDA_SUCCESS;
  });
}

EMULATOR_API cuGraphLaunch(CUgraphExec handle, CUstream stream_handle) {
  return inside("cuGraphLaunch", anywhere, [&](Context& c) {
    const Graph* graph = find(c.executables, handle);
    Stream* stream = find_stream(c, stream_handle);
    if (!graph) return CUDA_ERROR_INVALID_VALUE;
    if (!stream) return CUDA_ERROR_INVALID_HANDLE;
    return enqueue(*stream, [nodes = graph->nodes](Context& at) {
      for (const SharedOperation& node : nodes) {
        if (const CUresult error = (*node)(at)) return error;
      }
      return CUDA_SUCCESS;
    });
  });
}

EMULATOR_API cuGraphUpload(CUgraphExec handle, CUstream) {
  return inside("cuGraphUpload", anywhere, [&](Context& c) {
    return find(c.executables, handle) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
  });
}

EMULATOR_API cuGraphDestroy(CUgraph handle) {
  return inside("cuGraphDestroy", anywhere, [&](Context& c) { return destroy(c.graphs, handle); });
}

EMULATOR_API cuGraphExecDestroy(CUgraphExec handle) {
  return inside("cuGraphExecDestroy", anywhere,
                [&](Context& c) { return destroy(c.executables, handle); });
}

} // namespace emulator
