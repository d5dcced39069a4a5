// A tile of some channels of some pixels in shared memory: written channel by
// channel, read pixel by pixel, by kernels that write packed pixels. It comes after
// prelude.cuh.
#pragma once

namespace {

constexpr int THREADS = 256;
constexpr int CHANNELS = 64; // of a tile
constexpr int PIXELS = 64;
constexpr int PITCH = PIXELS + 1; // words between pairs of channels: lanes meet no bank twice

// Eight are eight neighbouring channels of a pixel.
struct alignas(16) Eight {
  unsigned v[4];
};

// word_of returns where a tile keeps a pair of channels of a pixel.
DEVICE int word_of(int pair, int pixel) { return pair * PITCH + pixel; }

// store_tile writes a tile to packed pixels of stride channels, from pixel first and
// channel top on; count pixels are left.
DEVICE void store_tile(unsigned* packed, const unsigned* tile, int64 first, int count, int top,
                       int stride) {
  const int group = threadIdx.x % (CHANNELS / 8);
#pragma unroll
  for (int place = threadIdx.x / (CHANNELS / 8); place < PIXELS; place += THREADS / (CHANNELS / 8)) {
    if (place >= count || top + 8 * group >= stride) continue;
    Eight e;
    for (int i = 0; i < 4; i++) e.v[i] = tile[word_of(4 * group + i, place)];
    *reinterpret_cast<Eight*>(packed + ((first + place) * stride + top + 8 * group) / 2) = e;
  }
}

} // namespace
