// Random numbers of internal/rng: functions of a counter and a key. It comes after
// prelude.cuh.
#pragma once

// Words are the four random words of a block.
struct Words {
  unsigned v[4];
};

// philox returns the Philox4x32-10 block of a counter under a key (Salmon et al.
// 2011): the generator of internal/rng.
DEVICE Words philox(unsigned c0, unsigned c1, unsigned c2, unsigned c3, unsigned k0, unsigned k1) {
#pragma unroll
  for (int round = 0; round < 10; round++) {
    const unsigned h0 = multiply_high(0xD2511F53u, c0), l0 = 0xD2511F53u * c0;
    const unsigned h1 = multiply_high(0xCD9E8D57u, c2), l1 = 0xCD9E8D57u * c2;
    c0 = h1 ^ c1 ^ k0;
    c1 = l1;
    c2 = h0 ^ c3 ^ k1;
    c3 = l0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return Words{{c0, c1, c2, c3}};
}

// fraction returns the number in [0, 1) that the upper 53 of 64 bits stand for.
DEVICE double fraction(unsigned low, unsigned high) {
  return (double)(((uint64)high << 32 | low) >> 11) * 0x1p-53;
}

// Normals are two draws of the standard normal distribution.
struct Normals {
  float v[2];
};

// box_muller returns the draws of four random words, in double until they are
// rounded: within 1 ulp of those of internal/rng, and almost always equal.
DEVICE Normals box_muller(const Words& w) {
  const double u = 1.0 - fraction(w.v[0], w.v[1]); // (0, 1]: the logarithm stays finite
  const double radius = square_root(-2.0 * precise_log(u));
  const SineCosine turn = precise_sine_cosine(6.283185307179586 * fraction(w.v[2], w.v[3]));
  return {{(float)(radius * turn.cosine), (float)(radius * turn.sine)}};
}
