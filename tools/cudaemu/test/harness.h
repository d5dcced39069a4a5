// A small test harness. Each test runs in a process of its own, with its own
// environment, and what it writes to standard error is compared.
#pragma once

#include "api.h"

#include <string>
#include <vector>

namespace test {

struct Test {
  const char* name;
  std::vector<const char*> environment; // NAME=VALUE
  const char* report; // what standard error must contain; "" if it must be empty
  void (*body)();
};

bool add(const Test& test);

#define TEST(name, report, ...)                                                        \
  static void name();                                                                  \
  [[maybe_unused]] static const bool added_##name =                                    \
      test::add({#name, {__VA_ARGS__}, report, name});                                 \
  static void name()

[[noreturn]] void failed(const char* file, int line, const std::string& text);

// CHECK ends the test if the condition is false, EXPECT if a call does not
// return the error.
#define CHECK(condition)                                                 \
  do {                                                                   \
    if (!(condition)) test::failed(__FILE__, __LINE__, #condition);      \
  } while (0)
#define EXPECT(call, wanted) test::expect(__FILE__, __LINE__, #call, call, wanted)
#define OK(call) EXPECT(call, CUDA_SUCCESS)

void expect(const char* file, int line, const char* text, CUresult got, CUresult wanted);

// start initialises the driver and makes the first device's context current.
void start();

// Memory is an array on the device.
class Memory {
public:
  explicit Memory(size_t count); // 4-byte elements
  explicit Memory(const std::vector<float>& values);
  std::vector<float> values() const;
  CUdeviceptr address() const { return address_; }

private:
  CUdeviceptr address_ = 0;
  size_t count_;
};

// ptx returns a module with one kernel. kinds has a letter a parameter: p for a
// pointer, l for a long long, i for an int, f for a float and, last, m for a mark.
std::string ptx(const std::string& name, const std::string& kinds);

// Arguments are those of a launch.
class Arguments {
public:
  Arguments& add(CUdeviceptr v) { return put(v, 'p'); }
  Arguments& add(const Memory& m) { return put(m.address(), 'p'); }
  Arguments& add(int v) { return put(unsigned(v), 'i'); }
  Arguments& mark(CUdeviceptr word) { return put(word, 'm'); }
  void** list();
  const std::string& kinds() const { return kinds_; }

private:
  Arguments& put(unsigned long long v, char kind);
  std::vector<unsigned long long> slots_;
  std::vector<void*> pointers_;
  std::string kinds_;
};

CUfunction load(const std::string& name, const std::string& kinds);

struct Shape {
  unsigned blocks = 1, threads = 32, shared = 0;
};

// launch queues a kernel on a stream; run also waits and returns its error.
CUresult launch(CUfunction f, Shape shape, Arguments arguments, CUstream stream = nullptr);
CUresult run(const std::string& name, Shape shape, Arguments arguments);

} // namespace test
