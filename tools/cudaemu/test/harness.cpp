#include "harness.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/wait.h>
#include <unistd.h>

namespace test {
namespace {

std::vector<Test>& tests() {
  static std::vector<Test> all;
  return all;
}

// run_apart runs a test in a child and returns how it ended, and what it wrote to
// standard error.
int run_apart(const Test& t, std::string& errors) {
  int ends[2];
  if (pipe(ends)) abort();
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
    for (const char* entry : t.environment) putenv(const_cast<char*>(entry));
    constexpr unsigned limit = 60; // seconds
    alarm(limit);
    t.body();
    fflush(nullptr);
    _exit(0);
  }
  close(ends[1]);
  char buffer[4096];
  for (ssize_t n; (n = read(ends[0], buffer, sizeof buffer)) > 0;) errors.append(buffer, size_t(n));
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  return status;
}

bool passes(const Test& t) {
  std::string errors;
  const int status = run_apart(t, errors);
  const bool aborted = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
  const bool wants_abort = !strncmp(t.report, "abort: ", 7);
  const char* wanted = wants_abort ? t.report + 7 : t.report;
  const bool ended = wants_abort ? aborted : WIFEXITED(status) && WEXITSTATUS(status) == 0;
  const bool reported = *wanted ? errors.find(wanted) != std::string::npos : errors.empty();
  if (ended && reported) return true;
  printf("FAIL %s: status %#x, standard error:\n%s", t.name, unsigned(status), errors.c_str());
  if (!reported) printf("want in it: %s\n", *wanted ? wanted : "nothing");
  return false;
}

} // namespace

bool add(const Test& test) {
  tests().push_back(test);
  return true;
}

void failed(const char* file, int line, const std::string& text) {
  fprintf(stderr, "%s:%d: %s\n", file, line, text.c_str());
  fflush(nullptr);
  _exit(1);
}

void expect(const char* file, int line, const char* text, CUresult got, CUresult wanted) {
  if (got == wanted) return;
  failed(file, line, std::string(text) + " returned " + std::to_string(got) + ", want " +
                         std::to_string(wanted));
}

void start() {
  OK(cuInit(0));
  CUcontext context;
  OK(cuDevicePrimaryCtxRetain(&context, 0));
  OK(cuCtxSetCurrent(context));
}

Memory::Memory(size_t count) : count_(count) { OK(cuMemAlloc_v2(&address_, 4 * count)); }

Memory::Memory(const std::vector<float>& values) : Memory(values.size()) {
  OK(cuMemcpyHtoD_v2(address_, values.data(), 4 * count_));
}

std::vector<float> Memory::values() const {
  std::vector<float> out(count_);
  OK(cuMemcpyDtoH_v2(out.data(), address_, 4 * count_));
  return out;
}

std::string ptx(const std::string& name, const std::string& kinds) {
  std::string text = "// generated\n.version 7.0\n.target sm_80\n.address_size 64\n\n"
                     ".visible .entry " + name + "(";
  for (size_t i = 0; i < kinds.size(); i++) {
    const char* type = kinds[i] == 'p'   ? ".u64 .ptr .global .align 4"
                       : strchr("lm", kinds[i]) ? ".u64"
                       : kinds[i] == 'f' ? ".f32"
                                         : ".u32";
    text += (i ? ",\n\t.param " : "\n\t.param ") + std::string(type) + " " + name +
            (kinds[i] == 'm' ? "_mark" : "_param_" + std::to_string(i));
  }
  return text + "\n)\n.maxntid 256, 1, 1\n{\n\tret; // nothing { runs\n}\n";
}

Arguments& Arguments::put(unsigned long long v, char kind) {
  slots_.push_back(v);
  kinds_ += kind;
  return *this;
}

void** Arguments::list() {
  pointers_.clear();
  for (auto& slot : slots_) pointers_.push_back(&slot);
  return pointers_.data();
}

CUfunction load(const std::string& name, const std::string& kinds) {
  CUmodule module;
  CUfunction function;
  OK(cuModuleLoadDataEx(&module, ptx(name, kinds).c_str(), 0, nullptr, nullptr));
  OK(cuModuleGetFunction(&function, module, name.c_str()));
  return function;
}

CUresult launch(CUfunction f, Shape s, Arguments arguments, CUstream stream) {
  return cuLaunchKernel(f, s.blocks, 1, 1, s.threads, 1, 1, s.shared, stream, arguments.list(),
                        nullptr);
}

CUresult run(const std::string& name, Shape shape, Arguments arguments) {
  const CUfunction f = load(name, arguments.kinds());
  if (const CUresult error = launch(f, shape, arguments)) return error;
  return cuCtxSynchronize();
}

} // namespace test

int main(int count, char** words) {
  int failures = 0, ran = 0;
  for (const test::Test& t : test::tests()) {
    if (count > 1 && strcmp(words[1], t.name)) continue;
    ran++;
    failures += !test::passes(t);
    fflush(stdout);
  }
  printf("emulated driver: %d tests, %d failures\n", ran, failures);
  return failures || !ran;
}
