// Accesses of kernels to memory, one by one. Kernels that were compiled to call
// out at each (EDM_EMULATOR_RACES=1 of build.sh) are checked for races, for reads
// of memory that nothing was written to, and to the byte for what lies past the
// end of an array. Other kernels are not seen, and nothing here costs them time.
#pragma once

#include <cstddef>
#include <vector>

namespace emulator {

struct Lane;

// accesses_seen tells whether the kernels call out.
bool accesses_seen();

// These follow the running launch, which has one thread of the machine only.
void follow_launch();
void follow_block(unsigned char* shared, size_t bytes, unsigned threads);
void follow_barrier();
void follow_warp_barrier(const Lane& lane);
void follow_some_barrier(const std::vector<Lane*>& lanes);

// These follow what the running lane does with an mbarrier, named by any address.
void follow_arrival(const void* mbarrier);
void follow_phase(const void* mbarrier); // that it is complete
void follow_wait(const void* mbarrier);

// note_read and note_write check what the runtime does for the running lane.
void note_read(const void* from, size_t bytes, const void* code);
void note_write(const void* to, size_t bytes, const void* code);

// note_copy does so for the issue of an asynchronous copy, and note_landed when
// its lane waited for it, or it is one of those that complete an mbarrier's phase.
// The global side may be nullptr.
void note_copy(void* shared, const void* global, size_t bytes, const void* code);
void note_landed(const void* shared, size_t bytes, const void* mbarrier);

} // namespace emulator
