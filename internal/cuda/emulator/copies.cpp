#include "copies.h"

#include <cstring>

namespace emulator {

void CopyQueue::clear() {
  copies_.clear();
  ends_.clear();
  landed_groups_ = landed_ = 0;
}

void CopyQueue::land(size_t groups) {
  while (ends_.size() - landed_groups_ > groups) {
    const size_t end = ends_[landed_groups_++];
    for (; landed_ < end; landed_++) {
      const Copy& c = copies_[landed_];
      if (c.valid) {
        memcpy(c.shared, c.global, size_t(c.bytes));
      } else {
        memset(c.shared, 0, size_t(c.bytes));
      }
    }
  }
  if (landed_ == copies_.size() && landed_groups_ == ends_.size()) clear();
}

} // namespace emulator
