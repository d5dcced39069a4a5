#include "shared.h"

#include "report.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/mman.h>

namespace emulator {
namespace {

constexpr size_t page = 4096;
constexpr size_t guard = 512;          // bytes of pattern below
constexpr unsigned char pattern = 0xfd; // as a float a huge negative number

} // namespace

SharedMemory::SharedMemory() {
  const size_t all = capacity + 2 * page;
  void* memory = mmap(nullptr, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    fprintf(stderr, "emulated CUDA driver: no memory for shared memory\n");
    abort();
  }
  lowest_ = static_cast<unsigned char*>(memory);
  end_ = lowest_ + all - page;
  mprotect(lowest_, page, PROT_NONE);
  mprotect(end_, page, PROT_NONE);
}

unsigned char* SharedMemory::begin(size_t bytes) {
  bytes_ = bytes;
  async_.clear();
  base_ = end_ - (bytes + 15) / 16 * 16;
  memset(base_ - guard, pattern, guard);
  memset(base_, 0xff, bytes);
  memset(base_ + bytes, pattern, size_t(end_ - base_) - bytes);
  return base_;
}

std::string SharedMemory::check() const {
  for (size_t i = 0; i < guard; i += sizeof(uint64_t)) {
    uint64_t word;
    memcpy(&word, base_ - guard + i, sizeof word);
    if (word != 0xfdfdfdfdfdfdfdfdull) {
      return format("wrote about %zu bytes before the start of shared memory", guard - i);
    }
  }
  for (const unsigned char* p = base_ + bytes_; p < end_; p++) {
    if (*p != pattern) {
      return format("wrote %td bytes past the end of the %zu bytes of shared memory",
                    p - base_ - ptrdiff_t(bytes_), bytes_);
    }
  }
  return {};
}

bool SharedMemory::holds(const void* address, size_t bytes) const {
  const auto* at = static_cast<const unsigned char*>(address);
  return at >= base_ && at <= base_ + bytes_ && size_t(base_ + bytes_ - at) >= bytes;
}

unsigned SharedMemory::window(const void* address) const {
  return unsigned(static_cast<const unsigned char*>(address) - (lowest_ + page));
}

unsigned char* SharedMemory::at(unsigned window) const { return lowest_ + page + window; }

void SharedMemory::publish() {
  seen_async(base_);
  memcpy(&async_[window(base_)], base_, bytes_);
}

const unsigned char* SharedMemory::seen_async(const void* address) {
  if (async_.empty()) async_.assign(capacity, 0xff);
  return &async_[window(address)];
}

void SharedMemory::write_async(unsigned window, const void* from, size_t bytes) {
  memcpy(at(window), from, bytes);
  seen_async(at(window));
  memcpy(&async_[window], from, bytes);
}

void SharedMemory::poison(void* address, size_t bytes) {
  const std::vector<unsigned char> nan(bytes, 0xff);
  write_async(window(address), nan.data(), bytes);
}

std::string SharedMemory::describe(const void* address) const {
  const auto* at = static_cast<const unsigned char*>(address);
  if (at < lowest_ || at >= end_ + page) return {};
  if (at < base_) {
    return format("%td bytes before the start of shared memory", base_ - at);
  }
  const ptrdiff_t past = at - base_ - ptrdiff_t(bytes_);
  if (past < 0) return "in shared memory";
  return format("%td bytes past the end of the %zu bytes of shared memory", past, bytes_);
}

} // namespace emulator
