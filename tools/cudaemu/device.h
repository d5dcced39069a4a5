// The host's side of the kernel language: what prelude.cuh needs when a kernel
// source is compiled for the emulated driver. Every function here has a twin on
// the device, in primitives.cuh, with the same name and meaning. It includes
// nothing, so that a kernel cannot use what the device does not have.
#pragma once

#define KERNEL static
#define DEVICE static inline
#define LAUNCH_BOUNDS(threads, blocks)
#define EXPORT(name)                                      \
  [[maybe_unused]] static const bool emulated_##name =    \
      emulator::export_kernel(#name, __FILE__, &name);

#define threadIdx (emulator::coordinates().thread)
#define blockIdx (emulator::coordinates().block)
#define blockDim (emulator::coordinates().block_size)
#define gridDim (emulator::coordinates().grid_size)

// A call's place in the sources, for reports and to tell one barrier from
// another.
#define EMULATOR_SITE const char *file = __builtin_FILE(), int line = __builtin_LINE()

namespace emulator {

struct Dim3 {
  unsigned x, y, z;
};

// Coordinates are what a thread knows of itself.
struct Coordinates {
  Dim3 thread, block, block_size, grid_size;
  unsigned char* shared;
};

// coordinates returns the running thread's. They are constant while it runs, so
// the compiler may keep the reference.
[[gnu::const]] const Coordinates& coordinates();

// ---- kernels by name

// Parameter is what the driver knows of one parameter of a kernel.
struct Parameter {
  unsigned char size; // bytes: 4 or 8
  bool pointer;
};

// Kernel is a kernel compiled for the host.
struct Kernel {
  using Function = void (*)();
  const char* name;
  const char* file;
  Function function;
  void (*invoke)(Function, const unsigned long long* slots); // an argument a slot
  int count;
  const Parameter* parameters;
};

bool register_kernel(const Kernel& kernel);

template <class T> struct IsPointer {
  static constexpr bool value = false;
};
template <class T> struct IsPointer<T*> {
  static constexpr bool value = true;
};

template <class T> T from_slot(const unsigned long long* slot) {
  T value;
  __builtin_memcpy(&value, slot, sizeof value);
  return value;
}

// Indices<0, 1, ...> name the slots of a parameter pack.
template <int... I> struct Indices {};
template <int N, int... I> struct MakeIndices : MakeIndices<N - 1, N - 1, I...> {};
template <int... I> struct MakeIndices<0, I...> {
  using type = Indices<I...>;
};

template <class... P> struct Signature {
  static_assert(((sizeof(P) == 4 || sizeof(P) == 8) && ...), "parameters are of 4 or 8 bytes");
  static constexpr int count = sizeof...(P);
  static constexpr Parameter parameters[count + 1] = {
      {sizeof(P), IsPointer<P>::value}..., {0, false}};

  template <int... I>
  static void unpack(Kernel::Function f, const unsigned long long* slots, Indices<I...>) {
    reinterpret_cast<void (*)(P...)>(f)(from_slot<P>(slots + I)...);
  }
  static void invoke(Kernel::Function f, const unsigned long long* slots) {
    unpack(f, slots, typename MakeIndices<count>::type{});
  }
};

// export_kernel makes a kernel known to the emulated driver.
template <class... P>
bool export_kernel(const char* name, const char* file, void (*function)(P...)) {
  using S = Signature<P...>;
  const auto address = reinterpret_cast<Kernel::Function>(function);
  return register_kernel({name, file, address, S::invoke, S::count, S::parameters});
}

// ---- what the primitives ask of the runtime; file and line are the call's

void block_barrier(const char* file, int line);
void lane_barrier(const char* file, int line);

enum class Shuffle { exclusive_or, down, index };
unsigned long long shuffle_bits(Shuffle kind, unsigned long long bits, int by, const char* file,
                                int line);

enum class Product { tf32, bf16 };
void warp_product(Product kind, float* d, const unsigned* a, const unsigned* b, const char* file,
                  int line);

void matrix_load(bool transposed, unsigned* words, unsigned row, const char* file, int line);

void copy_issue(void* shared, const void* global, int bytes, bool valid, const char* file,
                int line);
void copy_close(const char* file, int line);
void copy_land(int groups, const char* file, int line);

// window_address returns where a pointer lies in the shared window.
unsigned window_address(const void* shared);

} // namespace emulator

// ---- shared memory and barriers

template <class T> DEVICE T* shared_memory() {
  return reinterpret_cast<T*>(emulator::coordinates().shared);
}
DEVICE unsigned shared_address(const void* p) { return emulator::window_address(p); }
DEVICE void barrier(EMULATOR_SITE) { emulator::block_barrier(file, line); }
DEVICE void warp_barrier(EMULATOR_SITE) { emulator::lane_barrier(file, line); }

// ---- shuffles

#define EMULATOR_SHUFFLE(name, kind, type, word)                                      \
  DEVICE type name(type v, int by, EMULATOR_SITE) {                                   \
    const word bits = __builtin_bit_cast(word, v);                                    \
    const unsigned long long got =                                                    \
        emulator::shuffle_bits(emulator::Shuffle::kind, bits, by, file, line);        \
    return __builtin_bit_cast(type, (word)got);                                       \
  }
#define EMULATOR_SHUFFLES(name, kind)                         \
  EMULATOR_SHUFFLE(name, kind, unsigned, unsigned)            \
  EMULATOR_SHUFFLE(name, kind, int, unsigned)                 \
  EMULATOR_SHUFFLE(name, kind, float, unsigned)               \
  EMULATOR_SHUFFLE(name, kind, double, unsigned long long)
EMULATOR_SHUFFLES(shuffle_xor, exclusive_or)
EMULATOR_SHUFFLES(shuffle_down, down)
EMULATOR_SHUFFLES(shuffle, index)
#undef EMULATOR_SHUFFLES
#undef EMULATOR_SHUFFLE

// ---- asynchronous copies

DEVICE void copy_async4(void* shared, const void* global, bool valid, EMULATOR_SITE) {
  emulator::copy_issue(shared, global, 4, valid, file, line);
}
DEVICE void copy_async16(void* shared, const void* global, bool valid, EMULATOR_SITE) {
  emulator::copy_issue(shared, global, 16, valid, file, line);
}
DEVICE void copy_commit(EMULATOR_SITE) { emulator::copy_close(file, line); }
template <int groups> DEVICE void copy_wait(EMULATOR_SITE) {
  static_assert(groups >= 0, "groups in flight");
  emulator::copy_land(groups, file, line);
}

// ---- accesses of 16 bytes to global memory

struct alignas(16) Aligned16 {
  float v[4];
};
DEVICE void read_global16(float (&v)[4], const float* p) {
  const Aligned16 all = *reinterpret_cast<const Aligned16*>(p);
  for (int i = 0; i < 4; i++) v[i] = all.v[i];
}
DEVICE void write_global16(float* p, const float (&v)[4]) {
  *reinterpret_cast<Aligned16*>(p) = {{v[0], v[1], v[2], v[3]}};
}

// ---- matrix products of a warp

DEVICE void load_matrices(unsigned (&d)[4], unsigned row, EMULATOR_SITE) {
  emulator::matrix_load(false, d, row, file, line);
}
DEVICE void load_transposed(unsigned (&d)[4], unsigned row, EMULATOR_SITE) {
  emulator::matrix_load(true, d, row, file, line);
}

DEVICE void mma_tf32(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2],
                     EMULATOR_SITE) {
  emulator::warp_product(emulator::Product::tf32, d, a, b, file, line);
}
DEVICE void mma_bf16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2],
                     EMULATOR_SITE) {
  emulator::warp_product(emulator::Product::bf16, d, a, b, file, line);
}

// to_tf32 rounds to 10 bits of fraction, ties away from zero.
DEVICE unsigned to_tf32(float x) {
  const unsigned bits = __builtin_bit_cast(unsigned, x);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return 0x7fffffffu;
  if ((bits & 0x7f800000u) == 0x7f800000u) return bits;
  return (bits + 0x1000u) & 0xffffe000u;
}

// pack_bf16 rounds two numbers to bfloat16, ties to even, in one word.
DEVICE unsigned pack_bf16(float lo, float hi) {
  const float pair[2] = {lo, hi};
  unsigned word = 0;
  for (int i = 0; i < 2; i++) {
    unsigned bits = __builtin_bit_cast(unsigned, pair[i]);
    if ((bits & 0x7fffffffu) > 0x7f800000u) {
      bits = 0x7fffu << 16;
    } else {
      bits += 0x7fffu + (bits >> 16 & 1);
    }
    word |= (bits >> 16) << (16 * i);
  }
  return word;
}

// ---- arithmetic

DEVICE float fused(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
DEVICE double fused(double a, double b, double c) { return __builtin_fma(a, b, c); }
DEVICE float square_root(float x) { return __builtin_sqrtf(x); }
DEVICE double square_root(double x) { return __builtin_sqrt(x); }
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
DEVICE float absolute(float x) { return __builtin_fabsf(x); }
DEVICE double absolute(double x) { return __builtin_fabs(x); }
DEVICE int absolute(int x) { return x < 0 ? -x : x; }
DEVICE unsigned multiply_high(unsigned a, unsigned b) {
  return (unsigned)((unsigned long long)a * b >> 32);
}
