// The driver's rules.
#include "harness.h"

#include <cstring>
#include <thread>

using namespace test;

namespace {

// load_error loads a text and returns its log.
std::string load_error(const std::string& text, CUresult wanted) {
  start();
  char log[512] = "";
  int options[] = {emulator::error_log, emulator::error_log_bytes};
  void* values[] = {log, reinterpret_cast<void*>(sizeof log)};
  CUmodule module;
  EXPECT(cuModuleLoadDataEx(&module, text.c_str(), 2, options, values), wanted);
  CHECK(reinterpret_cast<size_t>(values[1]) == strlen(log) + 1);
  return log;
}

bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

std::string replaced(std::string text, const char* part, const char* by) {
  return text.replace(text.find(part), strlen(part), by);
}

// marks returns two words of memory that the device sees too, set to 0.
volatile unsigned* marks(CUdeviceptr& address) {
  void* words;
  OK(cuMemHostAlloc(&words, 2 * sizeof(unsigned), 3)); // portable and mapped
  OK(cuMemHostGetDevicePointer_v2(&address, words, 0));
  memset(words, 0, 2 * sizeof(unsigned));
  return static_cast<volatile unsigned*>(words);
}

} // namespace

TEST(before_initialisation, "") {
  int count, version;
  EXPECT(cuDeviceGetCount(&count), CUDA_ERROR_NOT_INITIALIZED);
  EXPECT(cuCtxSynchronize(), CUDA_ERROR_NOT_INITIALIZED);
  OK(cuDriverGetVersion(&version));
  CHECK(version == 12040);
  const char* name;
  OK(cuGetErrorName(CUDA_ERROR_INVALID_PTX, &name));
  CHECK(!strcmp(name, "CUDA_ERROR_INVALID_PTX"));
  EXPECT(cuGetErrorName(CUresult(12345), &name), CUDA_ERROR_INVALID_VALUE);
  CHECK(!name);
}

TEST(no_device, "", "EDM_EMULATOR_DEVICES=0") { EXPECT(cuInit(0), CUDA_ERROR_NO_DEVICE); }

TEST(settings_of_the_device, "", "EDM_EMULATOR_DEVICES=2", "EDM_EMULATOR_CAPABILITY=9.0",
     "EDM_EMULATOR_MEMORY=1000000", "EDM_EMULATOR_DRIVER_VERSION=11080") {
  start();
  int count, version, major, shared;
  size_t bytes;
  OK(cuDeviceGetCount(&count));
  OK(cuDriverGetVersion(&version));
  OK(cuDeviceGetAttribute(&major, 75, 1));
  OK(cuDeviceGetAttribute(&shared, 97, 1));
  OK(cuDeviceTotalMem_v2(&bytes, 1));
  CHECK(count == 2 && version == 11080 && major == 9 && shared == 227 << 10 && bytes == 1000000);
  CUdevice device;
  EXPECT(cuDeviceGet(&device, 2), CUDA_ERROR_INVALID_DEVICE);
}

TEST(out_of_memory, "", "EDM_EMULATOR_MEMORY=1000000") {
  start();
  CUdeviceptr a, b;
  size_t available, total;
  OK(cuMemAlloc_v2(&a, 600000));
  EXPECT(cuMemAlloc_v2(&b, 600000), CUDA_ERROR_OUT_OF_MEMORY);
  OK(cuMemGetInfo_v2(&available, &total));
  CHECK(available == 400000 && total == 1000000);
  OK(cuMemFree_v2(a));
  OK(cuMemAlloc_v2(&b, 600000));
}

TEST(current_context_of_a_thread, "") {
  start();
  std::thread([] {
    CUdeviceptr p;
    EXPECT(cuMemAlloc_v2(&p, 4), CUDA_ERROR_INVALID_CONTEXT);
    EXPECT(cuCtxSynchronize(), CUDA_ERROR_INVALID_CONTEXT);
    CUcontext context;
    OK(cuCtxGetCurrent(&context));
    CHECK(!context);
  }).join();
  OK(cuDevicePrimaryCtxRelease_v2(0));
  EXPECT(cuCtxSynchronize(), CUDA_ERROR_CONTEXT_IS_DESTROYED);
}

TEST(obsolete_symbol, "abort: cuMemAlloc is the ABI of an old CUDA release; call cuMemAlloc_v2") {
  start();
  cuMemAlloc();
}

TEST(bounds_of_copies, "cuMemcpyHtoD: 44 bytes at") {
  start();
  const std::vector<float> host(11);
  Memory x(10);
  EXPECT(cuMemcpyHtoD_v2(x.address(), host.data(), 44), CUDA_ERROR_INVALID_VALUE);
  OK(cuMemcpyHtoD_v2(x.address() + 4, host.data(), 36));
  EXPECT(cuMemsetD32_v2(x.address() + 4, 0, 10), CUDA_ERROR_INVALID_VALUE);
  EXPECT(cuMemsetD32_v2(x.address() + 2, 0, 1), CUDA_ERROR_INVALID_VALUE);
  EXPECT(cuMemFree_v2(x.address() + 4), CUDA_ERROR_INVALID_VALUE);
}

TEST(copies_need_page_locked_memory, "is not page-locked: take it from cuMemAllocHost") {
  start();
  float host = 1;
  Memory x(1);
  EXPECT(cuMemcpyHtoDAsync_v2(x.address(), &host, 4, nullptr), CUDA_ERROR_INVALID_VALUE);
}

TEST(limits_of_launches, "more than 48 KiB of shared memory want cuFuncSetAttribute first") {
  start();
  Memory x(1024), y(1024);
  const CUfunction f = load("block_sum", "pp");
  const auto with = [&](Shape shape) { return launch(f, shape, Arguments().add(x).add(y)); };
  EXPECT(with({1, 256, 49153}), CUDA_ERROR_INVALID_VALUE);
  OK(cuFuncSetAttribute(f, emulator::max_dynamic_shared_bytes, 99 << 10));
  OK(with({1, 256, 99 << 10}));
  EXPECT(cuFuncSetAttribute(f, emulator::max_dynamic_shared_bytes, (99 << 10) + 1),
         CUDA_ERROR_INVALID_VALUE);
  EXPECT(with({1, 256, (99 << 10) + 1}), CUDA_ERROR_INVALID_VALUE);
  EXPECT(with({0, 256, 1024}), CUDA_ERROR_INVALID_VALUE);
  EXPECT(with({1, 257, 1024}), CUDA_ERROR_INVALID_VALUE); // .maxntid
  int most;
  OK(cuFuncGetAttribute(&most, emulator::max_threads_per_block, f));
  CHECK(most == 256);
}

TEST(unknown_kernel, "") {
  CHECK(has(load_error(ptx("nothing", "p"), CUDA_ERROR_INVALID_PTX), "kernel nothing is not among"));
}

TEST(parameters_that_differ, "") {
  CHECK(has(load_error(ptx("scale", "pp"), CUDA_ERROR_INVALID_PTX),
            "has 2 parameters in the PTX and 3"));
  CHECK(has(load_error(ptx("scale", "ppp"), CUDA_ERROR_INVALID_PTX), "8 bytes in the PTX and 4"));
}

TEST(mark_of_a_launch, "scale fails with error 719", "EDM_EMULATOR_FAIL=scale:2") {
  start();
  Memory x(std::vector<float>(32, 1.0f)), y(32);
  CUdeviceptr at;
  volatile unsigned* const words = marks(at);
  OK(run("scale", {}, Arguments().add(x).add(y).add(2).mark(0)));
  CHECK(y.values()[31] == 2 && !words[0] && !words[1]);
  // A kernel that fails has begun, and one behind it has not.
  const CUfunction f = load("scale", "ppim");
  OK(launch(f, {}, Arguments().add(x).add(y).add(3).mark(at)));
  OK(launch(f, {}, Arguments().add(x).add(y).add(4).mark(at + sizeof(unsigned))));
  CHECK(!words[0]);
  EXPECT(cuCtxSynchronize(), CUDA_ERROR_LAUNCH_FAILED);
  CHECK(words[0] == 1 && !words[1]);
}

TEST(mark_in_memory_of_the_device, "which is no page-locked memory") {
  start();
  Memory x(32), y(32);
  EXPECT(run("scale", {}, Arguments().add(x).add(y).add(2).mark(y.address())),
         CUDA_ERROR_ILLEGAL_ADDRESS);
}

TEST(mark_that_is_not_the_last, "") {
  CHECK(has(load_error(ptx("scale", "ppmi"), CUDA_ERROR_INVALID_PTX), "cannot read the parameters"));
}

TEST(texts_that_are_no_module, "") {
  const std::string good = ptx("scale", "ppi");
  CHECK(has(load_error("", CUDA_ERROR_INVALID_PTX), "Missing .version"));
  CHECK(has(load_error(good + "rubbish", CUDA_ERROR_INVALID_PTX), "syntax error near 'rubbish'"));
  CHECK(has(load_error(good.substr(0, good.size() - 3), CUDA_ERROR_INVALID_PTX), "the text ends"));
  load_error(replaced(good, ".version 7.0", ".version 8.5"), CUDA_ERROR_UNSUPPORTED_PTX_VERSION);
  CHECK(has(load_error(replaced(good, "sm_80", "sm_90a"), CUDA_ERROR_INVALID_PTX), "sm_90a"));
}

TEST(functions_of_a_module, "") {
  start();
  CUmodule module;
  CUfunction f;
  OK(cuModuleLoadDataEx(&module, ptx("scale", "ppi").c_str(), 0, nullptr, nullptr));
  EXPECT(cuModuleGetFunction(&f, module, "other"), CUDA_ERROR_NOT_FOUND);
  OK(cuModuleGetFunction(&f, module, "scale"));
  OK(cuModuleUnload(module));
  EXPECT(launch(f, {}, {}), CUDA_ERROR_INVALID_HANDLE);
}

TEST(demanded_error_of_a_call, "cuMemAlloc fails with error 2",
     "EDM_EMULATOR_FAIL=cuMemAlloc_v2:2:OUT_OF_MEMORY,cuCtxSynchronize:1:999") {
  start();
  CUdeviceptr p;
  OK(cuMemAlloc_v2(&p, 4));
  EXPECT(cuMemAlloc_v2(&p, 4), CUDA_ERROR_OUT_OF_MEMORY);
  OK(cuMemAlloc_v2(&p, 4));
  EXPECT(cuCtxSynchronize(), CUDA_ERROR_UNKNOWN);
  OK(cuCtxSynchronize());
}

TEST(demanded_error_of_a_kernel, "scale fails with error 719", "EDM_EMULATOR_FAIL=scale:3") {
  start();
  Memory x(std::vector<float>(32, 1.0f)), y(32);
  for (int i = 0; i < 2; i++) OK(run("scale", {}, Arguments().add(x).add(y).add(2)));
  EXPECT(run("scale", {}, Arguments().add(x).add(y).add(2)), CUDA_ERROR_LAUNCH_FAILED);
  CUdeviceptr p;
  EXPECT(cuMemAlloc_v2(&p, 4), CUDA_ERROR_LAUNCH_FAILED);
}

TEST(threads_and_seeds, "", "EDM_EMULATOR_THREADS=3", "EDM_EMULATOR_SEED=77") {
  start();
  std::vector<float> values(256 * 100);
  for (size_t i = 0; i < values.size(); i++) values[i] = float(i % 1000);
  Memory x(values), y(values.size());
  OK(run("scale", {100, 256, 0}, Arguments().add(x).add(y).add(3)));
  const std::vector<float> got = y.values();
  for (size_t i = 0; i < got.size(); i++) CHECK(got[i] == 3 * values[i]);
}
