// The device's side of hopper.cuh, in PTX: matrix products of a warpgroup, summed
// in float32.
//
// A warpgroup is four warps, of which the first has a number that is a multiple of
// 4. All its 128 threads make the same calls in the same order. D [64,n] is spread
// over them: thread t has, of row 16 (t/32) + t%32/4 + 8 i and column
// 8 j + 2 (t%4) + l, the number d[4 j + 2 i + l] ("Register Fragments").
#pragma once

// wgmma_keep is an empty statement that the compiler takes for a change of d: no
// use of d moves across it.
template <int count> DEVICE void wgmma_keep(float (&d)[count]) {
#pragma unroll
  for (int i = 0; i < count; i++) asm volatile("" : "+f"(d[i])::"memory");
}

// wgmma_fence comes before a step's products: what was written before it is done
// ("wgmma.fence").
DEVICE void wgmma_fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }

// With an accumulator, it comes before the first product into d, and again before the
// next one after a wgmma_wait that named d.
template <int count> DEVICE void wgmma_fence(float (&d)[count]) {
  wgmma_keep(d);
  wgmma_fence();
}

// wgmma_commit closes the group of this warpgroup's products since the last one.
DEVICE void wgmma_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }

// wgmma_wait waits until at most `groups` groups are in flight: their operands are
// then read, and may be overwritten.
template <int groups> DEVICE void wgmma_wait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(groups) : "memory");
}

// With an accumulator, to which no group in flight adds, d can be used after it.
template <int groups, int count> DEVICE void wgmma_wait(float (&d)[count]) {
  wgmma_wait<groups>();
  wgmma_keep(d);
}

// Registers of an accumulator, 32 at a time, as text and as operands.
#define WGMMA_TEXT_0 \
  "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15" \
  ",%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31"
#define WGMMA_TEXT_32 \
  ",%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47" \
  ",%48,%49,%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63"
#define WGMMA_TEXT_64 \
  ",%64,%65,%66,%67,%68,%69,%70,%71,%72,%73,%74,%75,%76,%77,%78,%79" \
  ",%80,%81,%82,%83,%84,%85,%86,%87,%88,%89,%90,%91,%92,%93,%94,%95"
#define WGMMA_TEXT_96 \
  ",%96,%97,%98,%99,%100,%101,%102,%103,%104,%105,%106,%107,%108,%109,%110,%111" \
  ",%112,%113,%114,%115,%116,%117,%118,%119,%120,%121,%122,%123,%124,%125,%126,%127"
#define WGMMA_4(i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define WGMMA_16(i) WGMMA_4(i), WGMMA_4(i + 4), WGMMA_4(i + 8), WGMMA_4(i + 12)
#define WGMMA_32(i) WGMMA_16(i), WGMMA_16(i + 16)

#define WGMMA_BF16(shape, text, ...)                                                         \
  asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %[add], 0;\n"                               \
               "wgmma.mma_async.sync.aligned." shape ".f32.bf16.bf16 {" text "}, "           \
               "%[a], %[b], p, 1, 1, %[ta], %[tb];\n}"                                       \
               : __VA_ARGS__                                                                 \
               : [a] "l"(a), [b] "l"(b), [add] "r"((int)accumulate), [ta] "n"((int)major_a), \
                 [tb] "n"((int)major_b)                                                      \
               : "memory")

// wgmma_bf16 starts D = A [64,16] times B [16,n], and adds D to it if `accumulate`
// is true; n is 64, 128 or 256. a and b are what wgmma_operand returns. Until it
// was waited for, d and the operands are not to be touched; further products may
// add to d ("wgmma.mma_async").
template <int n, Major major_a, Major major_b>
DEVICE void wgmma_bf16(float (&d)[n / 2], uint64 a, uint64 b, bool accumulate) {
  static_assert(n == 64 || n == 128 || n == 256, "64, 128 or 256 columns");
  if constexpr (n == 64) {
    WGMMA_BF16("m64n64k16", WGMMA_TEXT_0, WGMMA_32(0));
  } else if constexpr (n == 128) {
    WGMMA_BF16("m64n128k16", WGMMA_TEXT_0 WGMMA_TEXT_32, WGMMA_32(0), WGMMA_32(32));
  } else {
    WGMMA_BF16("m64n256k16", WGMMA_TEXT_0 WGMMA_TEXT_32 WGMMA_TEXT_64 WGMMA_TEXT_96, WGMMA_32(0),
               WGMMA_32(32), WGMMA_32(64), WGMMA_32(96));
  }
}

#undef WGMMA_BF16
#undef WGMMA_32
#undef WGMMA_16
#undef WGMMA_4
#undef WGMMA_TEXT_96
#undef WGMMA_TEXT_64
#undef WGMMA_TEXT_32
#undef WGMMA_TEXT_0
