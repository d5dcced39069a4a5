// The device's side of hopper.cuh, in PTX: barriers, copies and registers.
#pragma once

// ---- barriers in shared memory ("Parallel Synchronization and Communication
// Instructions: mbarrier")
//
// A phase is complete when as many arrivals as the barrier was made for have come
// and all bytes that were announced have been copied. The next phase then begins.
// Phases have parity 0, 1, 0, ...

// mbarrier_init makes a barrier of phases of that many arrivals. One thread does
// it, then mbarrier_init_fence; other threads use it after a barrier().
DEVICE void mbarrier_init(Mbarrier* b, unsigned arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(b)), "r"(arrivals)
               : "memory");
}

// mbarrier_init_fence makes the barriers that this thread has made visible to
// copies.
DEVICE void mbarrier_init_fence() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}

// mbarrier_arrive counts one arrival. What this thread wrote before is visible to
// threads that have waited for the phase.
DEVICE void mbarrier_arrive(Mbarrier* b) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(b)) : "memory");
}

// mbarrier_arrive_expect announces copies of that many bytes, below 1 MiB in a
// phase, and counts one arrival. The copies are issued after it.
DEVICE void mbarrier_arrive_expect(Mbarrier* b, unsigned bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(b)),
               "r"(bytes)
               : "memory");
}

// mbarrier_wait waits until the phase of that parity is complete. Of a new barrier
// the phase of parity 1 counts as complete.
DEVICE void mbarrier_wait(Mbarrier* b, unsigned parity) {
  unsigned complete;
  do {
    asm volatile("{\n.reg .pred p;\n"
                 "mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\n"
                 "selp.u32 %0, 1, 0, p;\n}"
                 : "=r"(complete)
                 : "r"(shared_address(b)), "r"(parity)
                 : "memory");
  } while (!complete);
}

// named_barrier waits until `threads` threads, a multiple of 32, whole warps, have
// come to barrier `id`, 1 to 15; what they wrote is then visible to all of them.
DEVICE void named_barrier(int id, int threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");
}

// ---- copies of tiles by tensor map ("cp.async.bulk.tensor")

// tensormap_acquire makes a map that the host wrote to global memory visible to
// this thread's loads ("fence.proxy.tensormap": the host's writes are in the scope
// of the system). Every block does it once.
DEVICE void tensormap_acquire(const TensorMap* map) {
  asm volatile("fence.proxy.tensormap::generic.acquire.sys [%0], 128;" ::"l"(map) : "memory");
}

// tensormap_prefetch brings a map near. It is acquired before.
DEVICE void tensormap_prefetch(const TensorMap* map) {
  asm volatile("prefetch.tensormap [%0];" ::"l"(map) : "memory");
}

// tensor_load copies the box whose first element is (c0, c1, c2, c3), the
// innermost dimension first, from global memory to `shared`, and counts its bytes
// on b. Elements outside of the array, also at negative coordinates, are zeros and
// count. `shared` is aligned to 128 bytes, and with a swizzle to where its pattern
// begins. One thread issues it.
DEVICE void tensor_load(void* shared, const TensorMap* map, int c0, int c1, int c2, int c3,
                        Mbarrier* b) {
  asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes "
               "[%0], [%1, {%2,%3,%4,%5}], [%6];" ::"r"(shared_address(shared)),
               "l"(map), "r"(c0), "r"(c1), "r"(c2), "r"(c3), "r"(shared_address(b))
               : "memory");
}

// async_fence orders this thread's ordinary writes to shared memory before what
// copies and wgmma do with it after a barrier ("fence.proxy.async").
DEVICE void async_fence() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

// ---- threads and registers

// elect_one returns true in one lane, always the same one. All 32 take part.
DEVICE bool elect_one() {
  unsigned elected;
  asm volatile("{\n.reg .pred p;\nelect.sync _|p, 0xffffffff;\nselp.u32 %0, 1, 0, p;\n}"
               : "=r"(elected)::"memory");
  return elected;
}

// fewer_registers and more_registers change how many registers a thread of this
// warpgroup has, to a multiple of 8 from 24 to 256. All its threads call it. The
// kernel has LAUNCH_BOUNDS, and more_registers waits until others gave up enough
// ("setmaxnreg").
template <int count> DEVICE void fewer_registers() {
  static_assert(count >= 24 && count <= 256 && count % 8 == 0, "24 to 256, in steps of 8");
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(count));
}
template <int count> DEVICE void more_registers() {
  static_assert(count >= 24 && count <= 256 && count % 8 == 0, "24 to 256, in steps of 8");
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(count));
}
