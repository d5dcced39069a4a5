// Group normalisation, its gradient, and what makes its gamma and beta depend on
// the image. A group is the cg neighbouring feature maps of pixels elements that
// share statistics; its elements lie side by side.
#include "prelude.cuh"
#include "quads.cuh"

// Quads of each operand that a thread of these kernels holds at once.
constexpr int stats_held = 4, apply_held = 4, data_held = 2, map_held = 4;

DEVICE float reciprocal_deviation(float squares, float size, float eps) {
  return 1.0f / square_root(squares / size + eps);
}

// Moments are the mean of a chunk of a group and the sum of squares around it.
struct Moments {
  float mean, squares;
};

// moments returns those of count elements, which the block has in registers: the
// mean first, and the squares around it then. scratch has two floats a warp.
DEVICE Moments moments(const Quad (&q)[stats_held], int count, float* scratch) {
  float sum = 0;
#pragma unroll
  for (int k = 0; k < stats_held; k++) sum += total(q[k]);
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
  return Moments{mean, row_sum(squares, scratch + blockDim.x / 32)};
}

// Statistics of a group.
struct Statistics {
  float mean, rstd;
};

// join makes the statistics of size elements of the moments of their chunks of
// length elements, part(k), in their order (Chan et al. 1983).
template <class Part>
DEVICE Statistics join(Part part, int chunks, int size, int length, float eps) {
  double sum = 0;
  for (int k = 0; k < chunks; k++) {
    const int count = (int)minimum(size - (int64)k * length, (int64)length);
    sum += (double)part(k).mean * count;
  }
  const double mean = sum / size;
  double squares = 0;
  for (int k = 0; k < chunks; k++) {
    const int count = (int)minimum(size - (int64)k * length, (int64)length);
    const double d = part(k).mean - mean;
    squares += part(k).squares + count * d * d;
  }
  return Statistics{(float)mean, reciprocal_deviation((float)squares, (float)size, eps)};
}

DEVICE void store(float* stats, const Statistics& s) {
  stats[0] = s.mean;
  stats[1] = s.rstd;
}

// gn_stats writes (mean, 1/sqrt(variance+eps)) of each group of size elements. A
// block has one of the group's chunks, 16 elements a thread. If there are several
// chunks it writes their moments to partial, for gn_join. Shared memory: two
// floats a warp.
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
#pragma unroll
  for (int k = 0; k < stats_held; k++) {
    const int at = 4 * (threadIdx.x + k * blockDim.x);
    q[k] = load_quad(p + at, count - at, wide);
  }
  const Moments m = moments(q, count, scratch);
  if (threadIdx.x != 0) return;
  if (chunks > 1) {
    partial[2 * blockIdx.x] = m.mean;
    partial[2 * blockIdx.x + 1] = m.squares;
  } else {
    store(stats + 2 * group, {m.mean, reciprocal_deviation(m.squares, (float)size, eps)});
  }
}
EXPORT(gn_stats)

// gn_join makes the statistics of each group of the moments of its chunks. A
// thread has one group.
KERNEL void LAUNCH_BOUNDS(128, 1) gn_join(const float* partial, float* stats, int groups, int size,
                                          int chunks, int length, float eps) {
  const int group = blockIdx.x * blockDim.x + threadIdx.x;
  if (group >= groups) return;
  partial += 2 * (int64)group * chunks;
  const auto part = [&](int k) { return Moments{partial[2 * k], partial[2 * k + 1]}; };
  store(stats + 2 * group, join(part, chunks, size, length, eps));
}
EXPORT(gn_join)

// Group is what the threads of a block know of the group that they work on.
struct Group {
  int64 first;      // of its elements
  unsigned channel; // of gamma and beta, where its own begin
  unsigned quads;   // in all its feature maps
  Statistics of;
};

// group_of returns group number index. Gamma and beta repeat after groups groups.
DEVICE Group group_of(unsigned index, const float* stats, int pixels, int cg, int groups) {
  Group g;
  g.first = (int64)index * cg * pixels;
  g.channel = index % groups * cg;
  g.quads = (unsigned)(pixels + 3) / 4 * cg;
  g.of = {stats[2 * index], stats[2 * index + 1]};
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

// y_of puts the result of the normalisation in the place of its argument.
template <bool act> DEVICE void y_of(Quad& q, const Statistics& s, float gamma, float beta) {
  for (int j = 0; j < 4; j++) {
    const float z = (q.v[j] - s.mean) * s.rstd * gamma + beta;
    q.v[j] = act ? z * sigmoid(z) : z;
  }
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
    y_of<act>(q[k], g.of, gamma[g.channel + p.map], beta[g.channel + p.map]);
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

template <int chunks, bool act>
DEVICE void whole(const float* x, const float* gamma, const float* beta, float* stats, float* y,
                  int pixels, int cg, int groups, float eps, unsigned factor, unsigned shift) {
  float* scratch = shared_memory<float>();
  const int size = cg * pixels, length = 4 * stats_held * blockDim.x;
  const int mine = 4 * threadIdx.x, step = 4 * blockDim.x;
  const unsigned channel = blockIdx.x % groups * cg;
  const bool wide = aligned(x, 16) && aligned(y, 16);
  x += (int64)blockIdx.x * size;
  y += (int64)blockIdx.x * size;
  Quad q[chunks][stats_held];
#pragma unroll
  for (int c = 0; c < chunks; c++)
#pragma unroll
    for (int k = 0; k < stats_held; k++) {
      const int at = c * length + mine + k * step;
      q[c][k] = load_quad(x + at, size - at, wide);
    }
  Moments part[chunks];
#pragma unroll
  for (int c = 0; c < chunks; c++)
    part[c] = moments(q[c], minimum(size - c * length, length), scratch + c * blockDim.x / 16);
  Statistics s = {part[0].mean, reciprocal_deviation(part[0].squares, (float)size, eps)};
  if (chunks > 1) s = join([&](int k) { return part[k]; }, chunks, size, length, eps);
  if (threadIdx.x == 0) store(stats + 2 * blockIdx.x, s);
#pragma unroll
  for (int c = 0; c < chunks; c++)
#pragma unroll
    for (int k = 0; k < stats_held; k++) {
      const int at = c * length + mine + k * step;
      if (at >= size) break;
      const unsigned map = channel + quotient(at / 4, factor, shift);
      y_of<act>(q[c][k], s, gamma[map], beta[map]);
      store_quad(y + at, q[c][k], 4, wide);
    }
}

// gn_whole1, 2 and 3 are gn_stats, gn_join and gn_apply in one pass, for groups of
// that many chunks: a block has a whole group in registers. Their bits are those
// of the three. Feature maps are whole quads. Shared memory: two floats a warp and
// chunk. gn_whole_silu1, 2 and 3 have gn_apply_silu in its place.
#define GN_WHOLE(chunks)                                                                          \
  KERNEL void LAUNCH_BOUNDS(512, 1)                                                               \
      gn_whole##chunks(const float* x, const float* gamma, const float* beta, float* stats,       \
                       float* y, int pixels, int cg, int groups, float eps, unsigned factor,      \
                       unsigned shift) {                                                          \
    whole<chunks, false>(x, gamma, beta, stats, y, pixels, cg, groups, eps, factor, shift);       \
  }                                                                                               \
  EXPORT(gn_whole##chunks)                                                                        \
  KERNEL void LAUNCH_BOUNDS(512, 1)                                                               \
      gn_whole_silu##chunks(const float* x, const float* gamma, const float* beta, float* stats,  \
                            float* y, int pixels, int cg, int groups, float eps, unsigned factor, \
                            unsigned shift) {                                                     \
    whole<chunks, true>(x, gamma, beta, stats, y, pixels, cg, groups, eps, factor, shift);        \
  }                                                                                               \
  EXPORT(gn_whole_silu##chunks)
GN_WHOLE(1)
GN_WHOLE(2)
GN_WHOLE(3)

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

// Means over a group of d*gamma and d*gamma*xhat.
struct Means {
  float d, dot;
};

// means returns those of the sums of a group's maps, every warp for itself.
DEVICE Means means(const float* sums, const float* gamma, int cg, int pixels) {
  float sum = 0, dot = 0;
  for (int c = threadIdx.x % 32; c < cg; c += 32) {
    sum += gamma[c] * sums[2 * c];
    dot += gamma[c] * sums[2 * c + 1];
  }
  const float size = (float)cg * (float)pixels;
  return Means{warp_sum(sum) / size, warp_sum(dot) / size};
}

template <bool act>
DEVICE void data(const float* dy, const float* x, const float* stats, const float* gamma,
                 const float* beta, const float* sums, float* dx, int pixels, int cg, int groups,
                 int chunks, unsigned factor, unsigned shift) {
  const unsigned index = blockIdx.x / chunks;
  const Group g = group_of(index, stats, pixels, cg, groups);
  const Means m = means(sums + 2 * (int64)index * cg, gamma + g.channel, cg, pixels);
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
      const float h = (xs[k].v[j] - g.of.mean) * g.of.rstd;
      const float d = slope<act>(gs[k].v[j], h, scale, offset);
      xs[k].v[j] = g.of.rstd * (scale * d - m.d - h * m.dot);
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

template <int maps, bool act>
DEVICE void whole_data(const float* dy, const float* x, const float* stats, const float* gamma,
                       const float* beta, float* sums, float* dx, int pixels, int cg, int groups) {
  const unsigned warps = blockDim.x * blockDim.y / 32;
  float* scratch = shared_memory<float>();
  float* own = scratch + 2 * maps * warps; // sums of the group's maps
  const Group g = group_of(blockIdx.x, stats, pixels, cg, groups);
  const bool wide = pixels % 4 == 0 && aligned(dy, 16) && aligned(x, 16) && aligned(dx, 16);
  const int mine = 4 * threadIdx.x, step = 4 * blockDim.x;
  dy += g.first;
  x += g.first;
  dx += g.first;
  gamma += g.channel;
  beta += g.channel;
  sums += 2 * (int64)blockIdx.x * cg;
  Quad d[maps][map_held], h[maps][map_held];
#pragma unroll
  for (int m = 0; m < maps; m++) {
    const int map = threadIdx.y + m * blockDim.y, left = map < cg ? pixels - mine : 0;
#pragma unroll
    for (int k = 0; k < map_held; k++) {
      d[m][k] = load_quad(dy + map * pixels + mine + k * step, left - k * step, wide);
      h[m][k] = load_quad(x + map * pixels + mine + k * step, left - k * step, wide);
    }
  }
#pragma unroll
  for (int m = 0; m < maps; m++) {
    const int map = threadIdx.y + m * blockDim.y, near = minimum(map, cg - 1);
    const float scale = gamma[near], offset = beta[near];
    float sum = 0, dot = 0;
#pragma unroll
    for (int k = 0; k < map_held; k++)
      for (int j = 0; j < 4; j++) { // past the last pixel the gradient is zero, and so is d
        h[m][k].v[j] = (h[m][k].v[j] - g.of.mean) * g.of.rstd;
        d[m][k].v[j] = slope<act>(d[m][k].v[j], h[m][k].v[j], scale, offset);
        sum += d[m][k].v[j];
        dot += d[m][k].v[j] * h[m][k].v[j];
      }
    sum = row_sum(sum, scratch + 2 * m * warps);
    dot = row_sum(dot, scratch + (2 * m + 1) * warps);
    if (threadIdx.x != 0 || map >= cg) continue;
    own[2 * map] = sums[2 * map] = sum;
    own[2 * map + 1] = sums[2 * map + 1] = dot;
  }
  barrier();
  const Means mean = means(own, gamma, cg, pixels);
#pragma unroll
  for (int m = 0; m < maps; m++) {
    const int map = threadIdx.y + m * blockDim.y, left = map < cg ? pixels - mine : 0;
    const float scale = gamma[minimum(map, cg - 1)];
#pragma unroll
    for (int k = 0; k < map_held; k++) {
      for (int j = 0; j < 4; j++)
        d[m][k].v[j] = g.of.rstd * (scale * d[m][k].v[j] - mean.d - h[m][k].v[j] * mean.dot);
      store_quad(dx + map * pixels + mine + k * step, d[m][k], left - k * step, wide);
    }
  }
}

// gn_whole_data1 and 2 are gn_sums and gn_data in one pass: a block has a whole
// group in registers. The threads of one threadIdx.y have so many maps,
// blockDim.y apart, four quads of each; they are as many as in gn_sums, so that
// the bits are those of the two. Shared memory: two floats a warp for each of these
// maps, and two for each of the group's. gn_whole_data_silu1 and 2 have
// gn_sums_silu and gn_data_silu in their place.
#define GN_WHOLE_DATA(maps)                                                                       \
  KERNEL void LAUNCH_BOUNDS(512, 1)                                                               \
      gn_whole_data##maps(const float* dy, const float* x, const float* stats,                    \
                          const float* gamma, const float* beta, float* sums, float* dx,          \
                          int pixels, int cg, int groups) {                                       \
    whole_data<maps, false>(dy, x, stats, gamma, beta, sums, dx, pixels, cg, groups);             \
  }                                                                                               \
  EXPORT(gn_whole_data##maps)                                                                     \
  KERNEL void LAUNCH_BOUNDS(512, 1)                                                               \
      gn_whole_data_silu##maps(const float* dy, const float* x, const float* stats,               \
                               const float* gamma, const float* beta, float* sums, float* dx,     \
                               int pixels, int cg, int groups) {                                  \
    whole_data<maps, true>(dy, x, stats, gamma, beta, sums, dx, pixels, cg, groups);              \
  }                                                                                               \
  EXPORT(gn_whole_data_silu##maps)
GN_WHOLE_DATA(1)
GN_WHOLE_DATA(2)

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
