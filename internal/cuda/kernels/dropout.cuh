// Dropout's masks: those of internal/rng, made in registers. It comes after
// quads.cuh.
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

// Site is what all threads of a dropout know: elements whose random word is below
// limit are dropped, others multiplied by keep.
struct Site {
  uint64 limit, seed;
  float keep;
  unsigned first, stream; // block of an image's element 0, and the stream
};

// site_of returns the site for a chance, in float64 as the definition has it: for
// one thread of a block.
DEVICE Site site_of(double chance, int64 key, unsigned first, unsigned stream) {
  Site s;
  s.limit = chance > 0 ? (uint64)(chance * 4294967296.0) : 0;
  s.keep = chance > 0 ? (float)(1.0 / (1.0 - chance)) : 1.0f;
  s.seed = (uint64)key;
  s.first = first;
  s.stream = stream;
  return s;
}

// drop masks quad number index of the image with a counter.
DEVICE void drop(Quad& q, const Site& s, uint64 image, unsigned index) {
  const Words words = philox(s.first + index, (unsigned)image, (unsigned)(image >> 32), s.stream,
                             (unsigned)s.seed, (unsigned)(s.seed >> 32));
  for (int j = 0; j < 4; j++) q.v[j] = words.v[j] < s.limit ? 0.0f : q.v[j] * s.keep;
}
