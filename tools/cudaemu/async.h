// What the functions of hopper.h ask of the runtime; file and line are the call's.
// It includes nothing, as device.h.
#pragma once

namespace emulator {

void phase_make(unsigned long long* b, unsigned arrivals, const char* file, int line);
void phase_publish();
void phase_arrive(unsigned long long* b, unsigned bytes, const char* file, int line);
void phase_wait(unsigned long long* b, unsigned parity, const char* file, int line);
void some_barrier(int id, int threads, const char* file, int line);

void map_acquire(const void* map, const char* file, int line);
void map_prefetch(const void* map, const char* file, int line);
void box_load(void* shared, const void* map, const int (&at)[4], unsigned long long* b,
              const char* file, int line);
void proxy_fence();

bool lane_elect(const char* file, int line);
void group_registers(int count, const char* file, int line);

// Operands are a lane's of one product of a warpgroup: D [64,columns] and the
// descriptors of A and B.
struct Operands {
  float* d;
  int columns;
  unsigned long long a, b;
  bool mn_a, mn_b; // MN-major, else K-major
  bool accumulate;
};
// Without an accumulator, products into those that are fenced may follow.
void group_fence(float* d, int count, const char* file, int line);
void group_product(const Operands& operands, const char* file, int line);
void group_commit(const char* file, int line);
// group_wait: with d, which may be nullptr, the accumulator is to be used next.
void group_wait(int groups, const float* d, const char* file, int line);

} // namespace emulator
