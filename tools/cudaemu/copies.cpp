#include "copies.h"

#include "accesses.h"

#include <cstring>

namespace emulator {

void Copy::land() {
  if (valid) {
    memcpy(shared, global, size_t(bytes));
  } else {
    memset(shared, 0, size_t(bytes));
  }
  landed = true;
}

void CopyQueue::clear() {
  copies_.clear();
  ends_.clear();
  landed_groups_ = landed_ = 0;
}

void CopyQueue::land(size_t groups) {
  while (ends_.size() - landed_groups_ > groups) {
    const size_t end = ends_[landed_groups_++];
    for (; landed_ < end; landed_++) {
      Copy& c = copies_[landed_];
      if (!c.landed) c.land();
      note_landed(c.shared, size_t(c.bytes), nullptr);
    }
  }
  if (landed_ == copies_.size() && landed_groups_ == ends_.size()) clear();
}

} // namespace emulator
