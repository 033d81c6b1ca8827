// Batch normalisation over the channels of several feature maps together, with ReLU if the layer asks for it; sums of
// channels; concatenation and its way back.
#pragma once
#include "common.cuh"

// Sums of x - s and its square a channel, s the channel's first value: without the shift, the square of a large
// mean would swallow a small variance. partial is [gridDim.y, 2, c].
template <class T, int V>
__device__ __forceinline__ void moments(const T *x, i64 rows, int c, float *partial) {
  extern __shared__ float shared[];
  const int channel = (blockIdx.x * blockDim.x + threadIdx.x) * V;
  float sum[V] = {}, square[V] = {}, shift[V] = {};
  if (channel < c) {
    load<T, V>(x + channel, shift);
    EACH_ROW(row, rows) {
      float v[V];
      load<T, V>(x + row * c + channel, v);
#pragma unroll
      for (int i = 0; i < V; ++i) {
        const float d = v[i] - shift[i];
        sum[i] += d;
        square[i] += d * d;
      }
    }
  }
  sum_over_lanes<V>(sum, square, shared);
  if (threadIdx.y == 0 && channel < c) {
#pragma unroll
    for (int i = 0; i < V; ++i) {
      partial[(i64)blockIdx.y * 2 * c + channel + i] = sum[i];
      partial[((i64)blockIdx.y * 2 + 1) * c + channel + i] = square[i];
    }
  }
}

template <class T>
__device__ __forceinline__ void finish_moments(const float *partial, int splits, const T *x, i64 rows, int c,
                                               float *mean, float *variance) {
  EACH(k, c) {
    double sum = 0, square = 0;
    for (int s = 0; s < splits; ++s) {
      sum += partial[(i64)s * 2 * c + k];
      square += partial[((i64)s * 2 + 1) * c + k];
    }
    const double m = sum / rows, v = square / rows - m * m;
    mean[k] = (float)(m + widen(x[k]));
    variance[k] = (float)(v > 0 ? v : 0);
  }
}

// The layer's numbers a channel, table = [scale, shift, mean, inverse deviation, variance] x c.
extern "C" __global__ void norm_table(Parts parts, const float *gamma, const float *beta, double epsilon, float *table) {
  const int c = parts.first[parts.count];
  EACH(k, c) {
    const int part = part_of(parts, k), at = k - parts.first[part];
    const float mean = parts.mean[part][at], variance = parts.variance[part][at];
    const double inverse = 1.0 / sqrt((double)variance + epsilon), scale = gamma[k] * inverse;
    table[k] = (float)scale;
    table[c + k] = (float)(beta[k] - mean * scale);
    table[2 * c + k] = mean;
    table[3 * c + k] = (float)inverse;
    table[4 * c + k] = variance;
  }
}

template <class T, int V>
__device__ __forceinline__ void norm_apply(const Parts &parts, i64 rows, const float *table, int relu, T *y) {
  const int c = parts.first[parts.count], channel = (blockIdx.x * blockDim.x + threadIdx.x) * V;
  if (channel >= c) return;
  const int part = part_of(parts, channel), width = parts.first[part + 1] - parts.first[part];
  const T *x = (const T *)parts.x[part] + (channel - parts.first[part]);
  float scale[V], shift[V];
#pragma unroll
  for (int i = 0; i < V; ++i) scale[i] = table[channel + i], shift[i] = table[c + channel + i];
  EACH_ROW(row, rows) {
    float v[V];
    load<T, V>(x + row * width, v);
#pragma unroll
    for (int i = 0; i < V; ++i) {
      v[i] = scale[i] * v[i] + shift[i];
      // Written so that NaN passes.
      if (relu && v[i] <= 0) v[i] = 0;
    }
    store<T, V>(y + row * c + channel, v);
  }
}

// Sums of dz and dz (x - mean) a channel, dz the gradient behind the ReLU; partial is [gridDim.y, 2, c].
template <class T, int V>
__device__ __forceinline__ void norm_sums(const Parts &parts, i64 rows, const float *table, int relu, const T *dy,
                                          float *partial) {
  extern __shared__ float shared[];
  const int c = parts.first[parts.count], channel = (blockIdx.x * blockDim.x + threadIdx.x) * V;
  float sum[V] = {}, product[V] = {};
  if (channel < c) {
    const int part = part_of(parts, channel), width = parts.first[part + 1] - parts.first[part];
    const T *x = (const T *)parts.x[part] + (channel - parts.first[part]);
    float scale[V], shift[V], mean[V];
#pragma unroll
    for (int i = 0; i < V; ++i)
      scale[i] = table[channel + i], shift[i] = table[c + channel + i], mean[i] = table[2 * c + channel + i];
    EACH_ROW(row, rows) {
      float v[V], d[V];
      load<T, V>(x + row * width, v);
      load<T, V>(dy + row * c + channel, d);
#pragma unroll
      for (int i = 0; i < V; ++i) {
        if (relu && !(scale[i] * v[i] + shift[i] > 0)) d[i] = 0;
        sum[i] += d[i];
        product[i] += d[i] * (v[i] - mean[i]);
      }
    }
  }
  sum_over_lanes<V>(sum, product, shared);
  if (threadIdx.y == 0 && channel < c) {
#pragma unroll
    for (int i = 0; i < V; ++i) {
      partial[(i64)blockIdx.y * 2 * c + channel + i] = sum[i];
      partial[((i64)blockIdx.y * 2 + 1) * c + channel + i] = product[i];
    }
  }
}

// Gradients of gamma and beta, and dx = a dz + b x + k a channel; coefficients = [a, b, k] x c. A count of 0 tells
// that mean and variance were constants.
extern "C" __global__ void norm_gradients(const float *partial, int splits, int c, const float *table,
                                          const float *gamma, double count, float *d_gamma, float *d_beta,
                                          float *coefficients) {
  EACH(k, c) {
    double sum = 0, product = 0;
    for (int s = 0; s < splits; ++s) {
      sum += partial[(i64)s * 2 * c + k];
      product += partial[((i64)s * 2 + 1) * c + k];
    }
    const double inverse = table[3 * c + k], mean = table[2 * c + k];
    const double scale = gamma[k] * inverse, along = product * inverse;
    d_gamma[k] = (float)along;
    d_beta[k] = (float)sum;
    const double slope = count > 0 ? -scale * inverse * along / count : 0;
    coefficients[k] = (float)scale;
    coefficients[c + k] = (float)slope;
    coefficients[2 * c + k] = count > 0 ? (float)(-scale * sum / count - slope * mean) : 0;
  }
}

template <class T, int V>
__device__ __forceinline__ void norm_backward(const Parts &parts, const Targets &targets, i64 rows, const float *table,
                                              const float *coefficients, int relu, const T *dy) {
  const int c = parts.first[parts.count], channel = (blockIdx.x * blockDim.x + threadIdx.x) * V;
  if (channel >= c) return;
  const int part = part_of(parts, channel), width = parts.first[part + 1] - parts.first[part];
  const int at = channel - parts.first[part];
  if (!targets.dx[part]) return;
  const T *x = (const T *)parts.x[part] + at;
  T *dx = (T *)targets.dx[part] + at;
  const int add = targets.add[part];
  float scale[V], shift[V], a[V], b[V], k[V];
#pragma unroll
  for (int i = 0; i < V; ++i) {
    scale[i] = table[channel + i], shift[i] = table[c + channel + i];
    a[i] = coefficients[channel + i], b[i] = coefficients[c + channel + i], k[i] = coefficients[2 * c + channel + i];
  }
  EACH_ROW(row, rows) {
    float v[V], d[V], sum[V] = {};
    load<T, V>(x + row * width, v);
    load<T, V>(dy + row * c + channel, d);
    if (add) load<T, V>(dx + row * width, sum);
#pragma unroll
    for (int i = 0; i < V; ++i) {
      if (relu && !(scale[i] * v[i] + shift[i] > 0)) d[i] = 0;
      sum[i] += a[i] * d[i] + b[i] * v[i] + k[i];
    }
    store<T, V>(dx + row * width, sum);
  }
}

// Several feature maps side by side.
template <class T, int V> __device__ __forceinline__ void join_parts(const Parts &parts, i64 rows, T *y) {
  const int c = parts.first[parts.count], channel = (blockIdx.x * blockDim.x + threadIdx.x) * V;
  if (channel >= c) return;
  const int part = part_of(parts, channel), width = parts.first[part + 1] - parts.first[part];
  const T *x = (const T *)parts.x[part] + (channel - parts.first[part]);
  EACH_ROW(row, rows)
  *reinterpret_cast<Pack<T, V> *>(y + row * c + channel) = *reinterpret_cast<const Pack<T, V> *>(x + row * width);
}

// The way back of join_parts; parts.x is not read.
template <class T, int V>
__device__ __forceinline__ void part_parts(const Parts &parts, const Targets &targets, i64 rows, const T *dy) {
  const int c = parts.first[parts.count], channel = (blockIdx.x * blockDim.x + threadIdx.x) * V;
  if (channel >= c) return;
  const int part = part_of(parts, channel), width = parts.first[part + 1] - parts.first[part];
  if (!targets.dx[part]) return;
  T *dx = (T *)targets.dx[part] + (channel - parts.first[part]);
  EACH_ROW(row, rows) {
    float v[V], sum[V] = {};
    load<T, V>(dy + row * c + channel, v);
    if (targets.add[part]) load<T, V>(dx + row * width, sum);
#pragma unroll
    for (int i = 0; i < V; ++i) sum[i] += v[i];
    store<T, V>(dx + row * width, sum);
  }
}

// y = y + bias.
template <class T, int V> __device__ __forceinline__ void add_bias(T *y, i64 rows, int c, const float *bias) {
  const int channel = (blockIdx.x * blockDim.x + threadIdx.x) * V;
  if (channel >= c) return;
  EACH_ROW(row, rows) {
    float v[V];
    load<T, V>(y + row * c + channel, v);
#pragma unroll
    for (int i = 0; i < V; ++i) v[i] += bias[channel + i];
    store<T, V>(y + row * c + channel, v);
  }
}

// Sums over rows, partial [gridDim.y, 2, c] with the second half unused, as moments has it.
template <class T, int V>
__device__ __forceinline__ void channel_sums(const T *x, i64 rows, int c, float *partial) {
  extern __shared__ float shared[];
  const int channel = (blockIdx.x * blockDim.x + threadIdx.x) * V;
  float sum[V] = {}, unused[V] = {};
  if (channel < c) {
    EACH_ROW(row, rows) {
      float v[V];
      load<T, V>(x + row * c + channel, v);
#pragma unroll
      for (int i = 0; i < V; ++i) sum[i] += v[i];
    }
  }
  sum_over_lanes<V>(sum, unused, shared);
  if (threadIdx.y == 0 && channel < c) {
#pragma unroll
    for (int i = 0; i < V; ++i) partial[(i64)blockIdx.y * 2 * c + channel + i] = sum[i];
  }
}

extern "C" __global__ void finish_sums(const float *partial, int splits, int c, float *sums) {
  EACH(k, c) {
    double sum = 0;
    for (int s = 0; s < splits; ++s) sum += partial[(i64)s * 2 * c + k];
    sums[k] = (float)sum;
  }
}

#define NORM_KERNELS(NAME, T, V)                                                                                       \
  extern "C" __global__ void moments_##NAME(const T *x, i64 rows, int c, float *partial) {                             \
    moments<T, V>(x, rows, c, partial);                                                                                \
  }                                                                                                                    \
  extern "C" __global__ void norm_apply_##NAME(Parts parts, i64 rows, const float *table, int relu, T *y) {            \
    norm_apply<T, V>(parts, rows, table, relu, y);                                                                     \
  }                                                                                                                    \
  extern "C" __global__ void norm_sums_##NAME(Parts parts, i64 rows, const float *table, int relu, const T *dy,        \
                                              float *partial) {                                                        \
    norm_sums<T, V>(parts, rows, table, relu, dy, partial);                                                            \
  }                                                                                                                    \
  extern "C" __global__ void norm_backward_##NAME(Parts parts, Targets targets, i64 rows, const float *table,          \
                                                  const float *coefficients, int relu, const T *dy) {                  \
    norm_backward<T, V>(parts, targets, rows, table, coefficients, relu, dy);                                          \
  }                                                                                                                    \
  extern "C" __global__ void join_parts_##NAME(Parts parts, i64 rows, T *y) { join_parts<T, V>(parts, rows, y); }      \
  extern "C" __global__ void part_parts_##NAME(Parts parts, Targets targets, i64 rows, const T *dy) {                  \
    part_parts<T, V>(parts, targets, rows, dy);                                                                        \
  }                                                                                                                    \
  extern "C" __global__ void add_bias_##NAME(T *y, i64 rows, int c, const float *bias) {                               \
    add_bias<T, V>(y, rows, c, bias);                                                                                  \
  }                                                                                                                    \
  extern "C" __global__ void channel_sums_##NAME(const T *x, i64 rows, int c, float *partial) {                        \
    channel_sums<T, V>(x, rows, c, partial);                                                                           \
  }
FOR_TYPES_AND_WIDTHS(NORM_KERNELS)

#define FINISH_MOMENTS(NAME, T)                                                                                        \
  extern "C" __global__ void finish_moments_##NAME(const float *partial, int splits, const T *x, i64 rows, int c,      \
                                                   float *mean, float *variance) {                                     \
    finish_moments<T>(partial, splits, x, rows, c, mean, variance);                                                    \
  }
FOR_TYPES(FINISH_MOMENTS)
