// Group normalisation whose result is packed pixels, for products of bfloat16: the
// numbers of gn_apply, rounded once, as convpack_pixels rounds them.
//
// The floor is memory: 6 bytes an element, 4 read and 2 written. A block has a tile
// of some channels of some pixels of one image. A warp reads 256 bytes of each of
// two channels at a time and writes 128 of a pixel or less.
#include "prelude.cuh"
#include "quads.cuh"
#include "dropout.cuh"
#include "packtile.cuh"

namespace {

constexpr int QUADS = PIXELS / 4;                        // of a channel of a tile
constexpr int TURNS = CHANNELS / 2 * QUADS / THREADS;    // pairs of quads that a thread has

// Affine is how a channel of an image is normalised.
struct alignas(16) Affine {
  float mean, rstd, gamma, beta;
};

// Images are the sizes of the images, and which part of them the block has.
struct Images {
  int channels, size, stride; // stride: of packed pixels, in channels
  int image, top, first;      // of the tile: its image, first channel and pixel
};

// images_of returns the part of a block: tiles of channels come first, then those of
// an image's pixels.
DEVICE Images images_of(int channels, int size, int stride) {
  const int across = (stride + CHANNELS - 1) / CHANNELS, down = (size + PIXELS - 1) / PIXELS;
  const int number = blockIdx.x / across, image = number / down;
  return Images{channels, size, stride, image, (int)(blockIdx.x - number * across) * CHANNELS,
                (number - image * down) * PIXELS};
}

// Norm is what normalises: statistics of groups of cg channels; gamma and beta of
// one image, or of each.
struct Norm {
  const float *stats, *gamma, *beta;
  int cg, per_image;
};

// normalise writes how the tile's channels are normalised to shared memory.
DEVICE void normalise(Affine* table, const Norm& n, const Images& m) {
  const int c = m.top + threadIdx.x;
  if (threadIdx.x >= CHANNELS || c >= m.channels) return;
  const float* s = n.stats + 2 * ((int64)m.image * (m.channels / n.cg) + c / n.cg);
  const int64 at = n.per_image ? (int64)m.image * m.channels + c : c;
  table[threadIdx.x] = Affine{s[0], s[1], n.gamma[at], n.beta[at]};
}

template <bool act> DEVICE void apply(Quad& q, const Affine& a) {
  for (int j = 0; j < 4; j++) {
    const float z = (q.v[j] - a.mean) * a.rstd * a.gamma + a.beta;
    q.v[j] = act ? z * sigmoid(z) : z;
  }
}

// gather normalises and rounds the tile. site is that of a dropout that follows, of
// the image with a counter, or null; then size is a multiple of 4. The table, and the
// site, are written while the images are on their way.
template <bool act>
DEVICE void gather(unsigned* tile, const float* x, Affine* table, const Norm& n, const Images& m,
                   const Site* site, uint64 counter) {
  const int place = 4 * (threadIdx.x % QUADS), left = m.size - m.first - place;
  const bool wide = m.size % 4 == 0 && aligned(x, 16);
  Quad q[TURNS][2];
#pragma unroll
  for (int k = 0; k < 2 * TURNS; k++) {
    const int c = m.top + 2 * (int)(threadIdx.x / QUADS + k / 2 * (THREADS / QUADS)) + k % 2;
    const int64 at = ((int64)m.image * m.channels + c) * m.size + m.first + place;
    q[k / 2][k % 2] = load_quad(x + at, c < m.channels ? left : 0, wide);
  }
  normalise(table, n, m);
  barrier();
#pragma unroll
  for (int k = 0; k < TURNS; k++) {
    const int pair = threadIdx.x / QUADS + k * (THREADS / QUADS);
#pragma unroll
    for (int half = 0; half < 2; half++) {
      const int c = m.top + 2 * pair + half;
      if (c >= m.channels) continue; // zeros
      apply<act>(q[k][half], table[2 * pair + half]);
      if (site) drop(q[k][half], *site, counter, (c * m.size + m.first + place) / 4);
    }
    for (int j = 0; j < 4; j++)
      tile[word_of(pair, place + j)] = pack_bf16(q[k][0].v[j], q[k][1].v[j]);
  }
}

template <bool act>
DEVICE void pack(const float* x, unsigned* packed, const Norm& n, const Images& m, const Site* site,
                 uint64 counter) {
  unsigned* tile = shared_memory<unsigned>();
  Affine* table = reinterpret_cast<Affine*>(tile + CHANNELS / 2 * PITCH);
  gather<act>(tile, x, table, n, m, site, counter);
  barrier();
  store_tile(packed, tile, (int64)m.image * m.size + m.first, m.size - m.first, m.top, m.stride);
}

} // namespace

// gn_apply_packed writes gamma (x-mean) rstd + beta of images [channels][size] as
// packed pixels of stride channels. Statistics are of groups of cg channels; gamma
// and beta are of all images, or with per_image of each. Shared memory: a tile, and
// an Affine for each of its channels.
KERNEL void LAUNCH_BOUNDS(256, 4)
    gn_apply_packed(const float* x, const float* stats, const float* gamma, const float* beta,
                    unsigned* packed, int channels, int size, int stride, int cg, int per_image) {
  pack<false>(x, packed, Norm{stats, gamma, beta, cg, per_image},
              images_of(channels, size, stride), nullptr, 0);
}
EXPORT(gn_apply_packed)

// gn_apply_silu_packed is gn_apply_packed with SiLU before the rounding.
KERNEL void LAUNCH_BOUNDS(256, 4)
    gn_apply_silu_packed(const float* x, const float* stats, const float* gamma, const float* beta,
                         unsigned* packed, int channels, int size, int stride, int cg, int per_image) {
  pack<true>(x, packed, Norm{stats, gamma, beta, cg, per_image},
             images_of(channels, size, stride), nullptr, 0);
}
EXPORT(gn_apply_silu_packed)

// gn_apply_silu_dropout_packed is gn_apply_silu_packed with dropout, as pointwise.cu
// has it, before the rounding; size is a multiple of 4. Shared memory: a Site more.
KERNEL void LAUNCH_BOUNDS(256, 4)
    gn_apply_silu_dropout_packed(const float* x, const float* stats, const float* gamma,
                                 const float* beta, const float* p, const int64* key,
                                 const int64* counters, unsigned* packed, int channels, int size,
                                 int stride, int cg, int per_image, unsigned first, unsigned stream) {
  const Images m = images_of(channels, size, stride);
  unsigned char* shared = shared_memory<unsigned char>();
  Site* site = reinterpret_cast<Site*>(shared + 4 * CHANNELS / 2 * PITCH + sizeof(Affine) * CHANNELS);
  if (threadIdx.x == 0) *site = site_of(p[0], key[0], first, stream);
  pack<true>(x, packed, Norm{stats, gamma, beta, cg, per_image}, m, site, (uint64)counters[m.image]);
}
EXPORT(gn_apply_silu_dropout_packed)
