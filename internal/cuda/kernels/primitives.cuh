// The instructions that C++ has no words for, each in one function. This is the
// device's side, in PTX; the emulator has a host twin of every function here,
// with the same name and meaning. Fragment layouts are those of the PTX ISA.
#pragma once

// ---- shared memory and barriers

extern __shared__ __attribute__((aligned(128))) unsigned char dynamic_shared[];

// shared_memory returns the block's dynamic shared memory. Its contents are
// undefined at the start; the base is aligned to 16 bytes at least.
template <class T> DEVICE T* shared_memory() { return reinterpret_cast<T*>(dynamic_shared); }

// shared_address returns where p lies in the shared window, as instructions on
// shared memory want it.
DEVICE unsigned shared_address(const void* p) {
  return (unsigned)(unsigned long long)(const __attribute__((address_space(3))) void*)p;
}

// barrier waits for all threads of the block; what they wrote is then visible to
// all of them.
DEVICE void barrier() { asm volatile("bar.sync 0;" ::: "memory"); }

// warp_barrier waits for all 32 lanes; what they wrote is then visible to all of
// them.
DEVICE void warp_barrier() { asm volatile("bar.warp.sync 0xffffffff;" ::: "memory"); }

// ---- shuffles: all 32 lanes take part

// shuffle_xor returns the v of lane (lane xor mask).
DEVICE unsigned shuffle_xor(unsigned v, int mask) {
  unsigned d;
  asm volatile("shfl.sync.bfly.b32 %0, %1, %2, 0x1f, 0xffffffff;" : "=r"(d) : "r"(v), "r"(mask));
  return d;
}

// shuffle_down returns the v of lane (lane + delta), or its own past lane 31.
DEVICE unsigned shuffle_down(unsigned v, int delta) {
  unsigned d;
  asm volatile("shfl.sync.down.b32 %0, %1, %2, 0x1f, 0xffffffff;" : "=r"(d) : "r"(v), "r"(delta));
  return d;
}

// shuffle returns the v of the lane named, 0 to 31.
DEVICE unsigned shuffle(unsigned v, int lane) {
  unsigned d;
  asm volatile("shfl.sync.idx.b32 %0, %1, %2, 0x1f, 0xffffffff;" : "=r"(d) : "r"(v), "r"(lane));
  return d;
}

// Shuffles of other types move their bits, 32 at a time.
#define SHUFFLE_TYPES(name)                                                                  \
  DEVICE int name(int v, int by) { return (int)name((unsigned)v, by); }                      \
  DEVICE float name(float v, int by) {                                                       \
    return __builtin_bit_cast(float, name(__builtin_bit_cast(unsigned, v), by));             \
  }                                                                                          \
  DEVICE double name(double v, int by) {                                                     \
    const unsigned long long bits = __builtin_bit_cast(unsigned long long, v);               \
    const unsigned long long low = name((unsigned)bits, by);                                 \
    const unsigned long long high = name((unsigned)(bits >> 32), by);                        \
    return __builtin_bit_cast(double, high << 32 | low);                                     \
  }
SHUFFLE_TYPES(shuffle_xor)
SHUFFLE_TYPES(shuffle_down)
SHUFFLE_TYPES(shuffle)
#undef SHUFFLE_TYPES

// ---- asynchronous copies from global to shared memory

// copy_async4 copies 4 bytes, or writes zeros and reads nothing if not valid.
// Both addresses are aligned to 4. It lands by the copy_wait of its group.
DEVICE void copy_async4(void* shared, const void* global, bool valid) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(shared_address(shared)),
               "l"((const __attribute__((address_space(1))) void*)global), "r"(valid ? 4 : 0)
               : "memory");
}

// copy_async16 copies 16 bytes past the first-level cache, or writes zeros and
// reads nothing if not valid. Both addresses are aligned to 16.
DEVICE void copy_async16(void* shared, const void* global, bool valid) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(shared)),
               "l"((const __attribute__((address_space(1))) void*)global), "r"(valid ? 16 : 0)
               : "memory");
}

// copy_commit closes the group of this thread's copies since the last one.
DEVICE void copy_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }

// copy_wait waits until at most `groups` of this thread's groups are in flight.
// Other threads see what landed after a barrier.
template <int groups> DEVICE void copy_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(groups) : "memory");
}

// ---- accesses of 16 bytes to global memory, which the compiler would divide

// read_global16 reads the four numbers at p, which is aligned to 16 bytes.
DEVICE void read_global16(float (&v)[4], const float* p) {
  asm volatile("ld.global.v4.f32 {%0,%1,%2,%3}, [%4];"
               : "=f"(v[0]), "=f"(v[1]), "=f"(v[2]), "=f"(v[3])
               : "l"((const __attribute__((address_space(1))) void*)p)
               : "memory");
}

// write_global16 writes four numbers at p, which is aligned to 16 bytes.
DEVICE void write_global16(float* p, const float (&v)[4]) {
  asm volatile("st.global.v4.f32 [%0], {%1,%2,%3,%4};" ::"l"(
                   (__attribute__((address_space(1))) void*)p),
               "f"(v[0]), "f"(v[1]), "f"(v[2]), "f"(v[3])
               : "memory");
}

// ---- matrix products of a warp, summed in float32

// load_matrices reads four 8x8 matrices of 16-bit numbers from shared memory. Lane
// l names row l%8 of matrix l/8, as shared_address does: 16 bytes, aligned to 16. It
// gets, of matrix i in d[i], columns 2(l%4) and 2(l%4)+1 of row l/4, the first in the
// lower half: a subtile's part of A or, by columns, of B.
DEVICE void load_matrices(unsigned (&d)[4], unsigned row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3])
               : "r"(row)
               : "memory");
}

// load_transposed gets rows 2(l%4) and 2(l%4)+1 of column l/4 instead.
DEVICE void load_transposed(unsigned (&d)[4], unsigned row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3])
               : "r"(row)
               : "memory");
}

// mma_tf32 adds A [16,8] times B [8,8] to D [16,8]; operands are tf32, see to_tf32.
DEVICE void mma_tf32(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
               "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// mma_bf16 adds A [16,16] times B [16,8] to D [16,8]; each word holds two
// bfloat16, the one of lower index in its lower half, see pack_bf16.
DEVICE void mma_bf16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
               "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// to_tf32 rounds to 10 bits of fraction, ties away from zero.
DEVICE unsigned to_tf32(float x) {
  unsigned d;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(d) : "f"(x));
  return d;
}

// pack_bf16 rounds two numbers to bfloat16, ties to even, in one word.
DEVICE unsigned pack_bf16(float lo, float hi) {
  unsigned d;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(d) : "f"(hi), "f"(lo));
  return d;
}

// ---- arithmetic

// fused returns a*b + c, rounded once.
DEVICE float fused(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
DEVICE double fused(double a, double b, double c) { return __builtin_fma(a, b, c); }

// square_root returns the correctly rounded root.
DEVICE float square_root(float x) {
  float d;
  asm("sqrt.rn.f32 %0, %1;" : "=f"(d) : "f"(x));
  return d;
}
DEVICE double square_root(double x) {
  double d;
  asm("sqrt.rn.f64 %0, %1;" : "=d"(d) : "d"(x));
  return d;
}

// minimum and maximum return the other number where one is NaN.
DEVICE float minimum(float a, float b) { return __builtin_fminf(a, b); }
DEVICE float maximum(float a, float b) { return __builtin_fmaxf(a, b); }
DEVICE double minimum(double a, double b) { return __builtin_fmin(a, b); }
DEVICE double maximum(double a, double b) { return __builtin_fmax(a, b); }
DEVICE int minimum(int a, int b) { return a < b ? a : b; }
DEVICE int maximum(int a, int b) { return a > b ? a : b; }
DEVICE unsigned minimum(unsigned a, unsigned b) { return a < b ? a : b; }
DEVICE unsigned maximum(unsigned a, unsigned b) { return a > b ? a : b; }
DEVICE long long minimum(long long a, long long b) { return a < b ? a : b; }
DEVICE long long maximum(long long a, long long b) { return a > b ? a : b; }

// absolute returns |x|.
DEVICE float absolute(float x) { return __builtin_fabsf(x); }
DEVICE double absolute(double x) { return __builtin_fabs(x); }
DEVICE int absolute(int x) { return x < 0 ? -x : x; }

// multiply_high returns the upper 32 bits of the product.
DEVICE unsigned multiply_high(unsigned a, unsigned b) {
  return (unsigned)((unsigned long long)a * b >> 32);
}
