// Group normalisation, its gradient, and what makes its gamma and beta depend on
// the image. A group is the cg neighbouring feature maps of pixels elements that
// share statistics; its elements lie side by side.
#include "prelude.cuh"
#include "quads.cuh"

// Quads of each operand that a thread of these kernels holds at once.
constexpr int stats_held = 4, apply_held = 4, data_held = 2;

DEVICE float reciprocal_deviation(float squares, float size, float eps) {
  return 1.0f / square_root(squares / size + eps);
}

// gn_stats writes (mean, 1/sqrt(variance+eps)) of each group of size elements. A
// block has one of the group's chunks in registers, 16 elements a thread, and
// takes the mean first and the squares around it then. If there are several
// chunks it writes their (mean, sum of squares) to partial, for gn_join. Shared
// memory: two floats a warp.
KERNEL void LAUNCH_BOUNDS(512, 2)
    gn_stats(const float* x, float* stats, float* partial, int size, int chunks, float eps) {
  float* scratch = shared_memory<float>();
  const unsigned group = blockIdx.x / chunks, chunk = blockIdx.x % chunks;
  const int length = 4 * stats_held * blockDim.x;
  const int64 from = (int64)chunk * length;
  const int count = (int)minimum(size - from, (int64)length);
  const float* p = x + (int64)group * size + from;
  const bool wide = aligned(p, 16);
  Quad q[stats_held];
  float sum = 0;
#pragma unroll
  for (int k = 0; k < stats_held; k++) {
    const int at = 4 * (threadIdx.x + k * blockDim.x);
    q[k] = load_quad(p + at, count - at, wide);
    sum += total(q[k]);
  }
  const float mean = row_sum(sum, scratch) / (float)count;
  float squares = 0;
#pragma unroll
  for (int k = 0; k < stats_held; k++) {
    const int at = 4 * (threadIdx.x + k * blockDim.x);
    for (int j = 0; j < 4; j++) {
      const float d = at + j < count ? q[k].v[j] - mean : 0.0f;
      squares += d * d;
    }
  }
  squares = row_sum(squares, scratch + blockDim.x / 32);
  if (threadIdx.x != 0) return;
  if (chunks > 1) {
    partial[2 * blockIdx.x] = mean;
    partial[2 * blockIdx.x + 1] = squares;
  } else {
    stats[2 * group] = mean;
    stats[2 * group + 1] = reciprocal_deviation(squares, (float)size, eps);
  }
}
EXPORT(gn_stats)

// gn_join makes the statistics of each group of those of its chunks of length
// elements, in their order (Chan et al. 1983). A thread has one group.
KERNEL void LAUNCH_BOUNDS(128, 1) gn_join(const float* partial, float* stats, int groups, int size,
                                          int chunks, int length, float eps) {
  const int group = blockIdx.x * blockDim.x + threadIdx.x;
  if (group >= groups) return;
  partial += 2 * (int64)group * chunks;
  double sum = 0;
  for (int k = 0; k < chunks; k++) {
    const int count = (int)minimum(size - (int64)k * length, (int64)length);
    sum += (double)partial[2 * k] * count;
  }
  const double mean = sum / size;
  double squares = 0;
  for (int k = 0; k < chunks; k++) {
    const int count = (int)minimum(size - (int64)k * length, (int64)length);
    const double d = partial[2 * k] - mean;
    squares += partial[2 * k + 1] + count * d * d;
  }
  stats[2 * group] = (float)mean;
  stats[2 * group + 1] = reciprocal_deviation((float)squares, (float)size, eps);
}
EXPORT(gn_join)

// Group is what the threads of a block know of the group that they work on.
struct Group {
  int64 first;      // of its elements
  unsigned channel; // of gamma and beta, where its own begin
  unsigned quads;   // in all its feature maps
  float mean, rstd;
};

// group_of returns group number index. Gamma and beta repeat after groups groups.
DEVICE Group group_of(unsigned index, const float* stats, int pixels, int cg, int groups) {
  Group g;
  g.first = (int64)index * cg * pixels;
  g.channel = index % groups * cg;
  g.quads = (unsigned)(pixels + 3) / 4 * cg;
  g.mean = stats[2 * index];
  g.rstd = stats[2 * index + 1];
  return g;
}

// Place is where a quad lies: the feature map within the group, its first
// element in memory, and how many elements of the map are left, none if there is
// no such quad.
struct Place {
  unsigned map;
  int64 at;
  int count;
};

// place returns the place of quad q; factor and shift divide by a map's quads.
DEVICE Place place(const Group& g, unsigned q, int pixels, unsigned factor, unsigned shift) {
  const unsigned per_map = (unsigned)(pixels + 3) / 4;
  const unsigned map = quotient(q, factor, shift);
  const unsigned within = 4 * (q - map * per_map);
  return Place{map, g.first + (int64)map * pixels + within, q < g.quads ? pixels - (int)within : 0};
}

template <bool act>
DEVICE void apply(const float* x, const float* stats, const float* gamma, const float* beta,
                  float* y, int pixels, int cg, int groups, int chunks, unsigned factor,
                  unsigned shift) {
  const Group g = group_of(blockIdx.x / chunks, stats, pixels, cg, groups);
  const unsigned from = blockIdx.x % chunks * (apply_held * blockDim.x) + threadIdx.x;
  const bool wide = pixels % 4 == 0 && aligned(x, 16) && aligned(y, 16);
  Quad q[apply_held];
#pragma unroll
  for (int k = 0; k < apply_held; k++) {
    const Place p = place(g, from + k * blockDim.x, pixels, factor, shift);
    q[k] = load_quad(x + p.at, p.count, wide);
  }
#pragma unroll
  for (int k = 0; k < apply_held; k++) {
    const Place p = place(g, from + k * blockDim.x, pixels, factor, shift);
    if (p.count <= 0) break;
    const float scale = gamma[g.channel + p.map], offset = beta[g.channel + p.map];
    for (int j = 0; j < 4; j++) {
      const float z = (q[k].v[j] - g.mean) * g.rstd * scale + offset;
      q[k].v[j] = act ? z * sigmoid(z) : z;
    }
    store_quad(y + p.at, q[k], p.count, wide);
  }
}

// gn_apply writes gamma (x-mean) rstd + beta. A block has a chunk of one group,
// four quads a thread; factor and shift divide by a feature map's quads. Gamma
// and beta have values for groups groups: those of one image, or all that there
// are if each image has its own. y may be x.
KERNEL void LAUNCH_BOUNDS(256, 4)
    gn_apply(const float* x, const float* stats, const float* gamma, const float* beta, float* y,
             int pixels, int cg, int groups, int chunks, unsigned factor, unsigned shift) {
  apply<false>(x, stats, gamma, beta, y, pixels, cg, groups, chunks, factor, shift);
}
EXPORT(gn_apply)

// gn_apply_silu is gn_apply followed by SiLU.
KERNEL void LAUNCH_BOUNDS(256, 4)
    gn_apply_silu(const float* x, const float* stats, const float* gamma, const float* beta,
                  float* y, int pixels, int cg, int groups, int chunks, unsigned factor,
                  unsigned shift) {
  apply<true>(x, stats, gamma, beta, y, pixels, cg, groups, chunks, factor, shift);
}
EXPORT(gn_apply_silu)

// slope returns g times the slope of the activation at normalised value h.
template <bool act> DEVICE float slope(float g, float h, float gamma, float beta) {
  return act ? g * silu_slope(h * gamma + beta) : g;
}

template <bool act>
DEVICE void sums_of(const float* g, const float* x, const float* stats, const float* gamma,
                    const float* beta, float* sums, int maps, int pixels, int cg, int channels) {
  float* scratch = shared_memory<float>();
  const int map = blockIdx.x * blockDim.y + threadIdx.y;
  const int row = minimum(map, maps - 1); // of threads without a map, too
  const float mean = stats[2 * (row / cg)], rstd = stats[2 * (row / cg) + 1];
  const float scale = gamma[row % channels], offset = beta[row % channels];
  g += (int64)row * pixels;
  x += (int64)row * pixels;
  const bool wide = aligned(g, 16) && aligned(x, 16);
  float sum = 0, dot = 0;
  for (int at = 4 * threadIdx.x; at < pixels; at += 4 * blockDim.x) {
    const Quad gs = load_quad(g + at, pixels - at, wide), xs = load_quad(x + at, pixels - at, wide);
    for (int j = 0; j < 4; j++) { // past the last pixel the gradient is zero, and so is d
      const float h = (xs.v[j] - mean) * rstd;
      const float d = slope<act>(gs.v[j], h, scale, offset);
      sum += d;
      dot += d * h;
    }
  }
  sum = row_sum(sum, scratch);
  dot = row_sum(dot, scratch + blockDim.x * blockDim.y / 32);
  if (map >= maps || threadIdx.x != 0) return;
  sums[2 * (int64)map] = sum;
  sums[2 * (int64)map + 1] = dot;
}

// gn_sums writes, for each feature map, the sums over pixels of d and d*xhat: d
// is the gradient before the affine map and xhat the normalised input. The
// threads of one threadIdx.y have one map. Gamma and beta repeat after channels
// maps. Shared memory: two floats a warp.
KERNEL void LAUNCH_BOUNDS(256, 4)
    gn_sums(const float* g, const float* x, const float* stats, const float* gamma,
            const float* beta, float* sums, int maps, int pixels, int cg, int channels) {
  sums_of<false>(g, x, stats, gamma, beta, sums, maps, pixels, cg, channels);
}
EXPORT(gn_sums)

// gn_sums_silu is gn_sums where SiLU follows the normalisation.
KERNEL void LAUNCH_BOUNDS(256, 4)
    gn_sums_silu(const float* g, const float* x, const float* stats, const float* gamma,
                 const float* beta, float* sums, int maps, int pixels, int cg, int channels) {
  sums_of<true>(g, x, stats, gamma, beta, sums, maps, pixels, cg, channels);
}
EXPORT(gn_sums_silu)

template <bool act>
DEVICE void data(const float* dy, const float* x, const float* stats, const float* gamma,
                 const float* beta, const float* sums, float* dx, int pixels, int cg, int groups,
                 int chunks, unsigned factor, unsigned shift) {
  const unsigned index = blockIdx.x / chunks;
  const Group g = group_of(index, stats, pixels, cg, groups);
  float sum = 0, dot = 0; // over the group's maps, weighted by gamma: every warp for itself
  for (int c = threadIdx.x % 32; c < cg; c += 32) {
    const float w = gamma[g.channel + c];
    sum += w * sums[2 * ((int64)index * cg + c)];
    dot += w * sums[2 * ((int64)index * cg + c) + 1];
  }
  const float size = (float)cg * (float)pixels;
  const float a = warp_sum(sum) / size, b = warp_sum(dot) / size;
  const unsigned from = blockIdx.x % chunks * (data_held * blockDim.x) + threadIdx.x;
  const bool wide = pixels % 4 == 0 && aligned(dy, 16) && aligned(x, 16) && aligned(dx, 16);
  Quad gs[data_held], xs[data_held];
#pragma unroll
  for (int k = 0; k < data_held; k++) {
    const Place p = place(g, from + k * blockDim.x, pixels, factor, shift);
    gs[k] = load_quad(dy + p.at, p.count, wide);
    xs[k] = load_quad(x + p.at, p.count, wide);
  }
#pragma unroll
  for (int k = 0; k < data_held; k++) {
    const Place p = place(g, from + k * blockDim.x, pixels, factor, shift);
    if (p.count <= 0) break;
    const float scale = gamma[g.channel + p.map], offset = beta[g.channel + p.map];
    for (int j = 0; j < 4; j++) {
      const float h = (xs[k].v[j] - g.mean) * g.rstd;
      const float d = slope<act>(gs[k].v[j], h, scale, offset);
      xs[k].v[j] = g.rstd * (scale * d - a - h * b);
    }
    store_quad(dx + p.at, xs[k], p.count, wide);
  }
}

// gn_data writes the gradient by x, from that by the output and from gn_sums'
// sums. Blocks are as in gn_apply, with two quads a thread. dx may be dy or x.
KERNEL void LAUNCH_BOUNDS(256, 4)
    gn_data(const float* dy, const float* x, const float* stats, const float* gamma,
            const float* beta, const float* sums, float* dx, int pixels, int cg, int groups,
            int chunks, unsigned factor, unsigned shift) {
  data<false>(dy, x, stats, gamma, beta, sums, dx, pixels, cg, groups, chunks, factor, shift);
}
EXPORT(gn_data)

// gn_data_silu is gn_data where SiLU follows the normalisation.
KERNEL void LAUNCH_BOUNDS(256, 4)
    gn_data_silu(const float* dy, const float* x, const float* stats, const float* gamma,
                 const float* beta, const float* sums, float* dx, int pixels, int cg, int groups,
                 int chunks, unsigned factor, unsigned shift) {
  data<true>(dy, x, stats, gamma, beta, sums, dx, pixels, cg, groups, chunks, factor, shift);
}
EXPORT(gn_data_silu)

// modulate writes v[c]*(1+m[n,c]) of image n = blockIdx.y, plus m[n,C+c] if
// shifted; m is [n,2C].
KERNEL void LAUNCH_BOUNDS(128, 1)
    modulate(const float* v, const float* m, float* y, int channels, int shifted) {
  const int c = blockIdx.x * blockDim.x + threadIdx.x;
  if (c >= channels) return;
  m += 2 * (int64)blockIdx.y * channels;
  float z = v[c] + v[c] * m[c];
  if (shifted) z += m[channels + c];
  y[(int64)blockIdx.y * channels + c] = z;
}
EXPORT(modulate)

// modulate_data writes the gradient of modulate by m, from g [n,C] and v.
KERNEL void LAUNCH_BOUNDS(128, 1)
    modulate_data(const float* g, const float* v, float* dm, int channels, int shifted) {
  const int c = blockIdx.x * blockDim.x + threadIdx.x;
  if (c >= channels) return;
  const float d = g[(int64)blockIdx.y * channels + c];
  dm += 2 * (int64)blockIdx.y * channels;
  dm[c] = d * v[c];
  dm[channels + c] = shifted ? d : 0.0f;
}
EXPORT(modulate_data)
