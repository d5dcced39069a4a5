// The mbarriers of one block and the copies that they count.
#pragma once

#include "site.h"
#include "tensormap.h"

#include <map>
#include <vector>

namespace emulator {

struct Lane;
class SharedMemory;

// Load is a copy of a box in flight. Its first element is `at`.
struct Load {
  unsigned char* shared;
  Tensor tensor;
  int64_t at[most_dimensions];
};

// Phases keeps what the hardware keeps in the barriers' 8 bytes, by address. A
// phase is completed, and its copies land, when somebody waits for it: as late as
// the device may. Methods return what is wrong, or nothing.
class Phases {
public:
  explicit Phases(SharedMemory& shared) : shared_(shared) {}
  void clear() { barriers_.clear(); }

  std::string make(unsigned long long* address, unsigned arrivals, Site site);
  // publish makes the barriers made so far known to copies.
  void publish();
  std::string arrive(unsigned long long* address, unsigned bytes);
  std::string load(unsigned long long* address, const Load& load);
  // observe sets `complete` if the phase of that parity is.
  std::string observe(unsigned long long* address, unsigned parity, bool& complete);

  // wait makes a lane one that waits for the current phase; woken returns and
  // forgets those if the phase is complete or can be.
  void wait(unsigned long long* address, Lane& lane);
  std::vector<Lane*> woken(unsigned long long* address);

  // describe says what the current phase lacks.
  std::string describe(unsigned long long* address) const;

private:
  struct Barrier {
    unsigned arrivals; // of each phase
    unsigned pending;  // that are yet to come
    uint64_t phase;    // that is not complete
    uint64_t expected; // bytes
    std::vector<Load> loads;
    std::vector<Lane*> waiters;
    uint64_t awaited; // the phase that they wait for
    Site made;
    bool published;

    uint64_t issued() const; // bytes
    bool completable() const { return !pending && expected == issued(); }
    std::string lack() const;
  };
  std::string find(unsigned long long* address, Barrier*& barrier);
  void land(const Load& load);
  bool advance(Barrier& b);

  SharedMemory& shared_;
  std::map<unsigned long long*, Barrier> barriers_;
};

} // namespace emulator
