// One thread's asynchronous copies in flight.
#pragma once

#include <cstddef>
#include <vector>

namespace emulator {

struct Copy {
  void* shared;
  const void* global; // not read if not valid
  int bytes;
  bool valid;
  bool landed = false;

  void land();
};

// CopyQueue keeps copies until their group is waited for. What has not landed
// does then: as late as the device may.
class CopyQueue {
public:
  void clear();
  void issue(const Copy& copy) { copies_.push_back(copy); }
  void commit() { ends_.push_back(copies_.size()); }

  // land lands the oldest groups until at most `groups` are in flight.
  void land(size_t groups);

private:
  std::vector<Copy> copies_;
  std::vector<size_t> ends_; // of each group, in copies_
  size_t landed_groups_ = 0, landed_ = 0;
};

} // namespace emulator
