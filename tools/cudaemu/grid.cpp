#include "grid.h"

#include "accesses.h"
#include "faults.h"
#include "settings.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace emulator {
namespace {

constexpr unsigned most_threads = 8; // the stacks of more would exhaust the mappings

unsigned thread_count() {
  if (accesses_seen()) return 1;
  const int wanted = settings().threads;
  const unsigned count = wanted > 0 ? unsigned(wanted) : std::thread::hardware_concurrency();
  return std::clamp(count, 1u, most_threads);
}

uint64_t block_count(const Grid& grid) {
  return uint64_t(grid.blocks.x) * grid.blocks.y * grid.blocks.z;
}

Dim3 block_at(const Grid& grid, uint64_t serial) {
  const uint64_t x = grid.blocks.x, y = grid.blocks.y;
  return {unsigned(serial % x), unsigned(serial / x % y), unsigned(serial / (x * y))};
}

// Job is a grid that threads take blocks of.
struct Job {
  const Grid* grid;
  uint64_t blocks;
  uint64_t first;    // the order starts there
  bool descending;
  std::atomic<uint64_t> next{0};
  std::atomic<int> error{CUDA_SUCCESS};

  explicit Job(const Grid& g) : grid(&g), blocks(block_count(g)) {
    const uint64_t draw = mix(g.seed);
    first = draw % blocks;
    descending = draw >> 63;
  }
  void work(Block& block);
};

void Job::work(Block& block) {
  for (;;) {
    const uint64_t i = next.fetch_add(1, std::memory_order_relaxed);
    if (i >= blocks || error.load(std::memory_order_relaxed)) return;
    const uint64_t turned = (i + first) % blocks;
    const uint64_t serial = descending ? blocks - 1 - turned : turned;
    const CUresult result = block.run(*grid, block_at(*grid, serial), serial);
    if (result) error.store(result);
  }
}

// Threads are the device's thread, which runs what on_device is given, and its
// helpers. They live as long as the process.
class Threads {
public:
  explicit Threads(unsigned count);
  void run(const std::function<void()>& work);
  CUresult run_grid(const Grid& grid);

private:
  void lead();
  void help();

  std::mutex mutex_;
  std::condition_variable changed_;  // for the device's thread
  std::condition_variable finished_; // for its callers
  std::condition_variable offered_;  // for helpers
  const std::function<void()>* work_ = nullptr;
  Job* job_ = nullptr;
  uint64_t jobs_ = 0;
  unsigned helping_ = 0;
  unsigned helpers_ = 0;
  Block* block_ = nullptr; // the device's thread's
};

Threads::Threads(unsigned count) : helpers_(count - 1) {
  catch_faults();
  // Threads inherit the mask: no signal reaches them before they block it.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread([this] { lead(); }).detach();
  for (unsigned i = 0; i < helpers_; i++) std::thread([this] { help(); }).detach();
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Threads::run(const std::function<void()>& work) {
  std::unique_lock<std::mutex> lock(mutex_);
  work_ = &work;
  changed_.notify_one();
  finished_.wait(lock, [&] { return work_ != &work; });
}

void Threads::lead() {
  enter_device_thread();
  block_ = new Block;
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return work_ != nullptr; });
    const std::function<void()>& work = *work_;
    lock.unlock();
    work();
    lock.lock();
    work_ = nullptr;
    finished_.notify_all();
  }
}

void Threads::help() {
  enter_device_thread();
  Block& block = *new Block;
  uint64_t seen = 0;
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    offered_.wait(lock, [&] { return job_ && jobs_ != seen; });
    Job& job = *job_;
    seen = jobs_;
    helping_++;
    lock.unlock();
    job.work(block);
    lock.lock();
    if (--helping_ == 0) changed_.notify_one();
  }
}

CUresult Threads::run_grid(const Grid& grid) {
  Job job(grid);
  follow_launch();
  const bool share = helpers_ && job.blocks > 1;
  if (share) {
    std::lock_guard<std::mutex> lock(mutex_);
    job_ = &job;
    jobs_++;
    offered_.notify_all();
  }
  job.work(*block_);
  if (share) {
    std::unique_lock<std::mutex> lock(mutex_);
    job_ = nullptr;
    changed_.wait(lock, [&] { return helping_ == 0; });
  }
  return CUresult(job.error.load());
}

Threads& threads() {
  static Threads& all = *new Threads(thread_count()); // never destroyed: its threads run on
  return all;
}

} // namespace

void on_device(const std::function<void()>& work) { threads().run(work); }

CUresult run_grid(const Grid& grid) { return threads().run_grid(grid); }

} // namespace emulator
