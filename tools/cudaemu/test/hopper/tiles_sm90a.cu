// Tiles loaded by tensor map, and products of them in a pipeline.
#include "../../../../internal/cuda/kernels/prelude.cuh"

#include "../../../../internal/cuda/kernels/hopper.cuh"

// tile copies one box of `words` words to y, as it lies in shared memory.
KERNEL void LAUNCH_BOUNDS(128, 1)
    tile(const TensorMap* map, unsigned* y, int words, int c0, int c1, int c2, int c3) {
  unsigned char* shared = align_shared(shared_memory<unsigned char>(), 1024);
  Mbarrier* full = reinterpret_cast<Mbarrier*>(shared + 4 * words);
  if (threadIdx.x == 0) {
    mbarrier_init(full, 1);
    mbarrier_init_fence();
    tensormap_acquire(map);
    tensormap_prefetch(map);
    mbarrier_arrive_expect(full, 4 * (unsigned)words);
    tensor_load(shared, map, c0, c1, c2, c3, full);
  }
  barrier();
  mbarrier_wait(full, 0);
  for (int i = (int)threadIdx.x; i < words; i += (int)blockDim.x) {
    y[i] = reinterpret_cast<unsigned*>(shared)[i];
  }
}
EXPORT(tile)

// Stages is the shared memory of pipeline: two tiles of A [64,64] and B [64,64],
// K-major, and their barriers.
struct Stages {
  unsigned char a[2][64 * 128], b[2][64 * 128];
  Mbarrier full[2], empty[2];
};

// produce loads the tiles of `depth` indices of K, 64 at a time.
DEVICE void produce(Stages& s, const TensorMap* a, const TensorMap* b, int depth) {
  tensormap_acquire(a);
  tensormap_acquire(b);
  for (int piece = 0; 64 * piece < depth; piece++) {
    const int stage = piece % 2;
    mbarrier_wait(&s.empty[stage], piece / 2 % 2 ^ 1);
    mbarrier_arrive_expect(&s.full[stage], sizeof s.a[0] + sizeof s.b[0]);
    tensor_load(s.a[stage], a, 64 * piece, 64 * (int)blockIdx.x, 0, 0, &s.full[stage]);
    tensor_load(s.b[stage], b, 64 * piece, 0, 0, 0, &s.full[stage]);
  }
}

// consume multiplies the tiles.
DEVICE void consume(Stages& s, float (&d)[32], int depth) {
  for (int piece = 0; 64 * piece < depth; piece++) {
    const int stage = piece % 2;
    mbarrier_wait(&s.full[stage], piece / 2 % 2);
    const uint64 a = wgmma_operand(s.a[stage], 16, 1024, Swizzle::bytes128);
    const uint64 b = wgmma_operand(s.b[stage], 16, 1024, Swizzle::bytes128);
    wgmma_fence(d);
    for (unsigned k = 0; k < 4; k++) {
      wgmma_bf16<64, Major::k, Major::k>(d, wgmma_advance(a, 32 * k), wgmma_advance(b, 32 * k),
                                         piece > 0 || k > 0);
    }
    wgmma_commit();
    wgmma_wait<0>(d);
    mbarrier_arrive(&s.empty[stage]);
  }
}

// pipelined_product writes C [64 blocks,64] = A times the transpose of B [64,depth]:
// the last warp loads, the first four multiply.
KERNEL void LAUNCH_BOUNDS(256, 1)
    pipelined_product(const TensorMap* a, const TensorMap* b, float* c, int depth) {
  Stages& s = *reinterpret_cast<Stages*>(align_shared(shared_memory<unsigned char>(), 1024));
  const int t = (int)threadIdx.x;
  if (t == 0) {
    for (int stage = 0; stage < 2; stage++) {
      mbarrier_init(&s.full[stage], 1);
      mbarrier_init(&s.empty[stage], 128);
    }
    mbarrier_init_fence();
  }
  barrier();
  if (t >= 128) {
    fewer_registers<40>();
    if (t / 32 == 7 && elect_one()) produce(s, a, b, depth);
  } else {
    more_registers<232>();
    float d[32];
    consume(s, d, depth);
    named_barrier(1, 128);
    float* tile = reinterpret_cast<float*>(s.a); // through shared memory, for whole rows
    const int row = t / 32 * 16 + t % 32 / 4, column = 2 * (t % 4);
#pragma unroll
    for (int r = 0; r < 32; r++) {
      tile[(row + r / 2 % 2 * 8) * 64 + r / 4 * 8 + column + r % 2] = d[r];
    }
    named_barrier(1, 128);
    for (int i = t; i < 64 * 64; i += 128) c[(int)blockIdx.x * 64 * 64 + i] = tile[i];
  }
}
EXPORT(pipelined_product)
