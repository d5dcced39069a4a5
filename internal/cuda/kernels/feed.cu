// Inputs that are made on the device of what is sent for them: images of 8-bit
// values, noise of the numbers that it is drawn by.
#include "prelude.cuh"
#include "philox.cuh"
#include "quads.cuh"

// pixels writes v/127.5 - 1 of each of size 8-bit values.
KERNEL void LAUNCH_BOUNDS(256, 4) pixels(const uint8* v, float* y, int64 size) {
  const bool words = aligned(v, 4), wide = aligned(y, 16);
  const int64 step = 4 * (int64)blockDim.x;
  for (int64 at = blockIdx.x * step + 4 * threadIdx.x; at < size; at += gridDim.x * step) {
    uint32 word = 0;
    if (words && at + 4 <= size) {
      word = *reinterpret_cast<const uint32*>(v + at);
    } else {
      for (int j = 0; j < 4 && at + j < size; j++) word |= (uint32)v[at + j] << 8 * j;
    }
    Quad q;
    for (int j = 0; j < 4; j++) q.v[j] = (float)(word >> 8 * j & 255) / 127.5f - 1.0f;
    store_quad(y + at, q, size - at, wide);
  }
}
EXPORT(pixels)

// normals writes size draws of each row blockIdx.y. draw holds the seed, the
// stream and, from there on, an index a row.
KERNEL void LAUNCH_BOUNDS(256, 2) normals(const int64* draw, float* y, int64 size) {
  const uint64 seed = (uint64)draw[0], index = (uint64)draw[2 + blockIdx.y];
  const unsigned stream = (unsigned)draw[1];
  y += (int64)blockIdx.y * size;
  const bool wide = aligned(y, 16);
  const int64 step = 4 * (int64)blockDim.x;
  for (int64 at = blockIdx.x * step + 4 * threadIdx.x; at < size; at += gridDim.x * step) {
    Quad q;
#pragma unroll
    for (int j = 0; j < 4; j += 2) {
      const Words w = philox((unsigned)((at + j) / 2), (unsigned)index, (unsigned)(index >> 32),
                             stream, (unsigned)seed, (unsigned)(seed >> 32));
      const Normals pair = box_muller(w);
      q.v[j] = pair.v[0];
      q.v[j + 1] = pair.v[1];
    }
    store_quad(y + at, q, size - at, wide);
  }
}
EXPORT(normals)
