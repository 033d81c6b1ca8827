// Pooling, upsampling and bilinear resizing. Gradients are gathered, not scattered: every input value asks which
// outputs it took part in, so that sums have one order and equal runs give equal numbers.
#pragma once
#include "common.cuh"

// Sizes of a window's way over [n, h, w, c] to [n, oh, ow, c]; WindowSizes in pool.rs is the same structure.
struct Window {
  int n, h, w, c, oh, ow, kh, kw, sh, sw, ph, pw;
};

// The maximum, padding never wins, and its place in the window; the first of equal values wins, and NaN (which differs
// from itself) over all of them.
template <class T> __device__ __forceinline__ void max_pool(Window g, const T *x, T *y, unsigned char *from) {
  EACH(i, (i64)g.n * g.oh * g.ow * g.c) {
    const int k = i % g.c, ox = i / g.c % g.ow, oy = i / g.c / g.ow % g.oh;
    const T *image = x + i / g.c / g.ow / g.oh * g.h * g.w * g.c;
    float best = 0;
    int place = -1;
    for (int a = 0; a < g.kh; ++a) {
      const int row = oy * g.sh - g.ph + a;
      if (row < 0 || row >= g.h) continue;
      for (int b = 0; b < g.kw; ++b) {
        const int column = ox * g.sw - g.pw + b;
        if (column < 0 || column >= g.w) continue;
        const float v = widen(image[((i64)row * g.w + column) * g.c + k]);
        if (place < 0 || v > best || v != v) best = v, place = a * g.kw + b;
      }
    }
    y[i] = narrow<T>(best);
    from[i] = place < 0 ? 255 : place;
  }
}

// First and last output whose window covers an input position; none if last < first.
__device__ __forceinline__ void covering(int at, int padding, int kernel, int stride, int outputs, int &first,
                                         int &last) {
  const int low = at + padding - kernel + 1;
  first = low <= 0 ? 0 : (low + stride - 1) / stride;
  last = min((at + padding) / stride, outputs - 1);
}

template <class T>
__device__ __forceinline__ void max_pool_backward(Window g, const unsigned char *from, const T *dy, T *dx) {
  EACH(i, (i64)g.n * g.h * g.w * g.c) {
    const int k = i % g.c, column = i / g.c % g.w, row = i / g.c / g.w % g.h;
    const i64 image = i / g.c / g.w / g.h * g.oh;
    int top, bottom, left, right;
    covering(row, g.ph, g.kh, g.sh, g.oh, top, bottom);
    covering(column, g.pw, g.kw, g.sw, g.ow, left, right);
    float sum = 0;
    for (int oy = top; oy <= bottom; ++oy)
      for (int ox = left; ox <= right; ++ox) {
        const i64 o = ((image + oy) * g.ow + ox) * g.c + k;
        const int place = (row - oy * g.sh + g.ph) * g.kw + column - ox * g.sw + g.pw;
        if (from[o] == place) sum += widen(dy[o]);
      }
    dx[i] = narrow<T>(sum);
  }
}

// How many pixels a window's sum is divided by.
__device__ __forceinline__ float divisor(const Window &g, int oy, int ox, int include_padding) {
  if (include_padding) return (float)(g.kh * g.kw);
  const int top = max(oy * g.sh - g.ph, 0), bottom = min(oy * g.sh - g.ph + g.kh, g.h);
  const int left = max(ox * g.sw - g.pw, 0), right = min(ox * g.sw - g.pw + g.kw, g.w);
  return (float)max((bottom - top) * (right - left), 1);
}

template <class T> __device__ __forceinline__ void average_pool(Window g, int include_padding, const T *x, T *y) {
  EACH(i, (i64)g.n * g.oh * g.ow * g.c) {
    const int k = i % g.c, ox = i / g.c % g.ow, oy = i / g.c / g.ow % g.oh;
    const T *image = x + i / g.c / g.ow / g.oh * g.h * g.w * g.c;
    float sum = 0;
    for (int row = max(oy * g.sh - g.ph, 0); row < min(oy * g.sh - g.ph + g.kh, g.h); ++row)
      for (int column = max(ox * g.sw - g.pw, 0); column < min(ox * g.sw - g.pw + g.kw, g.w); ++column)
        sum += widen(image[((i64)row * g.w + column) * g.c + k]);
    y[i] = narrow<T>(sum / divisor(g, oy, ox, include_padding));
  }
}

template <class T>
__device__ __forceinline__ void average_pool_backward(Window g, int include_padding, const T *dy, T *dx) {
  EACH(i, (i64)g.n * g.h * g.w * g.c) {
    const int k = i % g.c, column = i / g.c % g.w, row = i / g.c / g.w % g.h;
    const i64 image = i / g.c / g.w / g.h * g.oh;
    int top, bottom, left, right;
    covering(row, g.ph, g.kh, g.sh, g.oh, top, bottom);
    covering(column, g.pw, g.kw, g.sw, g.ow, left, right);
    float sum = 0;
    for (int oy = top; oy <= bottom; ++oy)
      for (int ox = left; ox <= right; ++ox)
        sum += widen(dy[((image + oy) * g.ow + ox) * g.c + k]) / divisor(g, oy, ox, include_padding);
    dx[i] = narrow<T>(sum);
  }
}

// Mean over the pixels of each image, in f32: what follows is the head, which stays in f32. One block an image and
// blockDim.x channels.
template <class T> __device__ __forceinline__ void global_average(const T *x, int pixels, int c, float *y) {
  extern __shared__ float shared[];
  const int k = blockIdx.x * blockDim.x + threadIdx.x;
  float sum = 0;
  if (k < c)
    for (int p = threadIdx.y; p < pixels; p += blockDim.y) sum += widen(x[((i64)blockIdx.y * pixels + p) * c + k]);
  float none = 0;
  sum_over_lanes<1>(&sum, &none, shared);
  if (threadIdx.y == 0 && k < c) y[(i64)blockIdx.y * c + k] = sum / pixels;
}

template <class T>
__device__ __forceinline__ void global_average_backward(const float *dy, int n, int pixels, int c, T *dx) {
  EACH(i, (i64)n * pixels * c) dx[i] = narrow<T>(dy[i / c / pixels * c + i % c] / pixels);
}

template <class T> __device__ __forceinline__ void upsample_x2(const T *x, int n, int h, int w, int c, T *y) {
  EACH(i, (i64)n * h * w * c * 4) {
    const int k = i % c, column = i / c % (2 * w), row = i / c / (2 * w) % (2 * h);
    const i64 image = i / c / (2 * w) / (2 * h);
    y[i] = x[((image * h + row / 2) * w + column / 2) * c + k];
  }
}

template <class T> __device__ __forceinline__ void upsample_x2_backward(const T *dy, int n, int h, int w, int c, T *dx) {
  EACH(i, (i64)n * h * w * c) {
    const int k = i % c, column = i / c % w, row = i / c / w % h;
    const i64 image = i / c / w / h, wide = 2 * w;
    const T *p = dy + ((image * 2 * h + 2 * row) * wide + 2 * column) * c + k;
    dx[i] = narrow<T>((widen(p[0]) + widen(p[c])) + (widen(p[wide * c]) + widen(p[(wide + 1) * c])));
  }
}

// The two sources of a target position, half-pixel centres, edges clamped; the weight of the second.
__device__ __forceinline__ float taps(int at, int from, int to, int &first, int &second) {
  const double place = fmax((at + 0.5) * from / to - 0.5, 0.0);
  first = min((int)place, from - 1);
  second = min(first + 1, from - 1);
  return (float)(place - first);
}

template <class T>
__device__ __forceinline__ void resize(const T *x, int n, int h, int w, int c, int rows, int columns, T *y) {
  EACH(i, (i64)n * rows * columns * c) {
    const int k = i % c, column = i / c % columns, row = i / c / columns % rows;
    const T *image = x + i / c / columns / rows * h * w * c + k;
    int top, bottom, left, right;
    const float fy = taps(row, h, rows, top, bottom), fx = taps(column, w, columns, left, right);
    const float upper = (1 - fx) * widen(image[((i64)top * w + left) * c]) + fx * widen(image[((i64)top * w + right) * c]);
    const float lower =
        (1 - fx) * widen(image[((i64)bottom * w + left) * c]) + fx * widen(image[((i64)bottom * w + right) * c]);
    y[i] = narrow<T>((1 - fy) * upper + fy * lower);
  }
}

// What a target position takes from a source position.
__device__ __forceinline__ float share(int target, int source, int from, int to) {
  int first, second;
  const float f = taps(target, from, to, first, second);
  return (first == source ? 1 - f : 0) + (second == source ? f : 0);
}

// Targets that may take from a source: a generous range, share() decides. The edge also feeds what is clamped to it.
__device__ __forceinline__ void reach(int source, int from, int to, int &first, int &last) {
  first = max((int)floor((source - 1.0) * to / from) - 1, 0);
  last = min((int)ceil((source + 2.0) * to / from) + 1, to - 1);
}

template <class T>
__device__ __forceinline__ void resize_backward(const T *dy, int n, int h, int w, int c, int rows, int columns, T *dx) {
  EACH(i, (i64)n * h * w * c) {
    const int k = i % c, column = i / c % w, row = i / c / w % h;
    const T *image = dy + i / c / w / h * rows * columns * c + k;
    int top, bottom, left, right;
    reach(row, h, rows, top, bottom);
    reach(column, w, columns, left, right);
    float sum = 0;
    for (int a = top; a <= bottom; ++a) {
      const float fy = share(a, row, h, rows);
      if (fy == 0) continue;
      for (int b = left; b <= right; ++b) {
        const float fx = share(b, column, w, columns);
        if (fx != 0) sum += fy * fx * widen(image[((i64)a * columns + b) * c]);
      }
    }
    dx[i] = narrow<T>(sum);
  }
}

#define WINDOW_KERNELS(NAME, T)                                                                                        \
  extern "C" __global__ void max_pool_##NAME(Window g, const T *x, T *y, unsigned char *from) {                        \
    max_pool<T>(g, x, y, from);                                                                                        \
  }                                                                                                                    \
  extern "C" __global__ void max_pool_backward_##NAME(Window g, const unsigned char *from, const T *dy, T *dx) {       \
    max_pool_backward<T>(g, from, dy, dx);                                                                             \
  }                                                                                                                    \
  extern "C" __global__ void average_pool_##NAME(Window g, int include_padding, const T *x, T *y) {                    \
    average_pool<T>(g, include_padding, x, y);                                                                         \
  }                                                                                                                    \
  extern "C" __global__ void average_pool_backward_##NAME(Window g, int include_padding, const T *dy, T *dx) {         \
    average_pool_backward<T>(g, include_padding, dy, dx);                                                              \
  }                                                                                                                    \
  extern "C" __global__ void global_average_##NAME(const T *x, int pixels, int c, float *y) {                          \
    global_average<T>(x, pixels, c, y);                                                                                \
  }                                                                                                                    \
  extern "C" __global__ void global_average_backward_##NAME(const float *dy, int n, int pixels, int c, T *dx) {        \
    global_average_backward<T>(dy, n, pixels, c, dx);                                                                  \
  }                                                                                                                    \
  extern "C" __global__ void upsample_x2_##NAME(const T *x, int n, int h, int w, int c, T *y) {                        \
    upsample_x2<T>(x, n, h, w, c, y);                                                                                  \
  }                                                                                                                    \
  extern "C" __global__ void upsample_x2_backward_##NAME(const T *dy, int n, int h, int w, int c, T *dx) {             \
    upsample_x2_backward<T>(dy, n, h, w, c, dx);                                                                       \
  }                                                                                                                    \
  extern "C" __global__ void resize_##NAME(const T *x, int n, int h, int w, int c, int rows, int columns, T *y) {      \
    resize<T>(x, n, h, w, c, rows, columns, y);                                                                        \
  }                                                                                                                    \
  extern "C" __global__ void resize_backward_##NAME(const T *dy, int n, int h, int w, int c, int rows, int columns,    \
                                                    T *dx) {                                                           \
    resize_backward<T>(dy, n, h, w, c, rows, columns, dx);                                                             \
  }
FOR_TYPES(WINDOW_KERNELS)
