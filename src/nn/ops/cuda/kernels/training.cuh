// What a training step needs beside the network: residual sums, gradients added up, the losses, Adam, the running
// statistics, and the network's input from grey planes.
#pragma once
#include "common.cuh"

// y = x + scale branch, then ReLU if asked for.
template <class T>
__device__ __forceinline__ void residual(const T *x, const T *branch, i64 n, float scale, int relu, T *y) {
  EACH(i, n) {
    float v = widen(x[i]) + scale * widen(branch[i]);
    if (relu && v <= 0) v = 0;
    y[i] = narrow<T>(v);
  }
}

// dx = dy behind the ReLU (y is null where there was none), d_branch = scale dx; either may be null.
template <class T>
__device__ __forceinline__ void residual_backward(const T *y, const T *dy, i64 n, float scale, T *dx, T *d_branch) {
  EACH(i, n) {
    const float d = !y || widen(y[i]) > 0 ? widen(dy[i]) : 0;
    if (dx) dx[i] = narrow<T>(d);
    if (d_branch) d_branch[i] = narrow<T>(scale * d);
  }
}

template <class T> __device__ __forceinline__ void add_assign(T *target, const T *other, i64 n) {
  EACH(i, n) target[i] = narrow<T>(widen(target[i]) + widen(other[i]));
}

#define ELEMENT_KERNELS(NAME, T)                                                                                       \
  extern "C" __global__ void residual_##NAME(const T *x, const T *branch, i64 n, float scale, int relu, T *y) {        \
    residual<T>(x, branch, n, scale, relu, y);                                                                         \
  }                                                                                                                    \
  extern "C" __global__ void residual_backward_##NAME(const T *y, const T *dy, i64 n, float scale, T *dx,              \
                                                      T *d_branch) {                                                   \
    residual_backward<T>(y, dy, n, scale, dx, d_branch);                                                               \
  }                                                                                                                    \
  extern "C" __global__ void add_assign_##NAME(T *target, const T *other, i64 n) { add_assign<T>(target, other, n); }
FOR_TYPES(ELEMENT_KERNELS)

// Constants of the hybrid loss; training::loss has the same.
#define FOCAL_ALPHA 0.25
#define CLIP 1e-7
#define DICE_SMOOTH 1e-5

__device__ __forceinline__ double sum_block(double v, double *shared) {
  __syncthreads();
  shared[threadIdx.x] = v;
  for (int span = blockDim.x / 2; span > 0; span /= 2) {
    __syncthreads();
    if (threadIdx.x < span) shared[threadIdx.x] += shared[threadIdx.x + span];
  }
  __syncthreads();
  return shared[0];
}

// Sums of the focal terms, of p t and of p + t; partial is [gridDim.x, 3]. The block has a power of two of threads.
extern "C" __global__ void hybrid_sums(const float *logits, const unsigned char *targets, i64 n, double *partial) {
  __shared__ double shared[256];
  double focal = 0, overlap = 0, total = 0;
  EACH(i, n) {
    const double p = 1.0 / (1.0 + exp(-(double)logits[i])), t = targets[i];
    // NaN must not be clipped away.
    const double q = p < CLIP ? CLIP : p > 1.0 - CLIP ? 1.0 - CLIP : p;
    focal += targets[i] == 1 ? -FOCAL_ALPHA * (1 - q) * (1 - q) * log(q) : -(1 - FOCAL_ALPHA) * q * q * log(1 - q);
    overlap += p * t;
    total += p + t;
  }
  focal = sum_block(focal, shared), overlap = sum_block(overlap, shared), total = sum_block(total, shared);
  if (threadIdx.x == 0) {
    partial[3 * blockIdx.x] = focal;
    partial[3 * blockIdx.x + 1] = overlap;
    partial[3 * blockIdx.x + 2] = total;
  }
}

// result = [loss, numerator and denominator of Dice]; one thread.
extern "C" __global__ void hybrid_finish(const double *partial, int splits, i64 n, double *result) {
  double focal = 0, overlap = 0, total = 0;
  for (int s = 0; s < splits; ++s) focal += partial[3 * s], overlap += partial[3 * s + 1], total += partial[3 * s + 2];
  const double numerator = 2 * overlap + DICE_SMOOTH, denominator = total + DICE_SMOOTH;
  result[0] = focal / n + (1 - numerator / denominator);
  result[1] = numerator;
  result[2] = denominator;
}

// Gradient of the hybrid loss with respect to the logits.
extern "C" __global__ void hybrid_gradient(const float *logits, const unsigned char *targets, i64 n,
                                           const double *result, float *gradient) {
  const double numerator = result[1], denominator = result[2];
  EACH(i, n) {
    const double p = 1.0 / (1.0 + exp(-(double)logits[i])), t = targets[i];
    double g = -(2 * t * denominator - numerator) / (denominator * denominator);
    if (p >= CLIP && p <= 1.0 - CLIP) {
      const double focal = targets[i] == 1 ? FOCAL_ALPHA * (1 - p) * (2 * log(p) - (1 - p) / p)
                                           : (1 - FOCAL_ALPHA) * p * (p / (1 - p) - 2 * log(1 - p));
      g += focal / n;
    }
    gradient[i] = (float)(g * p * (1 - p));
  }
}

// Mean cross-entropy of two logits a sample, and its gradient; one block with a power of two of threads.
extern "C" __global__ void cross_entropy(const float *logits, const unsigned char *labels, int n, double *loss,
                                         float *gradient) {
  __shared__ double shared[256];
  double sum = 0;
  for (int i = threadIdx.x; i < n; i += blockDim.x) {
    const double a = logits[2 * i], b = logits[2 * i + 1], high = a > b ? a : b;
    const double log_sum = high + log(exp(a - high) + exp(b - high));
    sum += log_sum - (labels[i] ? b : a);
    gradient[2 * i] = (float)((exp(a - log_sum) - (labels[i] ? 0 : 1)) / n);
    gradient[2 * i + 1] = (float)((exp(b - log_sum) - (labels[i] ? 1 : 0)) / n);
  }
  sum = sum_block(sum, shared);
  if (threadIdx.x == 0) loss[0] = sum / n;
}

// A stretch of one tensor: which tensor, where it begins in it, and where in the moments.
struct Stretch {
  int tensor, length;
  i64 begin, moment;
};

// Sum of the squares of the gradients: a block a stretch, partial is [gridDim.x]. The block has a power of two of
// threads.
extern "C" __global__ void squares(const Stretch *stretches, float *const *pointers, int tensors, double *partial) {
  __shared__ double shared[256];
  const Stretch s = stretches[blockIdx.x];
  const float *gradient = pointers[tensors + s.tensor] + s.begin;
  double sum = 0;
  for (int i = threadIdx.x; i < s.length; i += blockDim.x) sum += (double)gradient[i] * gradient[i];
  sum = sum_block(sum, shared);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

// The norm of all gradients and what they are multiplied by: below 0 where the norm is no number, so that nothing is
// stepped. One block with a power of two of threads.
extern "C" __global__ void clip(const double *partial, int parts, double limit, double *norm, float *scale) {
  __shared__ double shared[256];
  double sum = 0;
  for (int i = threadIdx.x; i < parts; i += blockDim.x) sum += partial[i];
  sum = sum_block(sum, shared);
  if (threadIdx.x == 0) {
    norm[0] = sqrt(sum);
    scale[0] = !isfinite(norm[0]) ? -1.0f : norm[0] > limit ? (float)(limit / norm[0]) : 1.0f;
  }
}

// One step of Adam over all parameters: a block a stretch. pointers = [value, gradient, new value] x tensors; scale
// is of one element.
extern "C" __global__ void adam(const Stretch *stretches, float *const *pointers, int tensors, float *first,
                                float *second, float keep1, float take1, float keep2, float take2, float rate,
                                float root, float epsilon, const float *scale) {
  const Stretch s = stretches[blockIdx.x];
  const float *value = pointers[s.tensor] + s.begin, *gradient = pointers[tensors + s.tensor] + s.begin;
  float *next = pointers[2 * tensors + s.tensor] + s.begin;
  const float factor = scale[0];
  for (int i = threadIdx.x; i < s.length; i += blockDim.x) {
    if (factor < 0) {
      next[i] = value[i];
      continue;
    }
    const float g = factor * gradient[i];
    const float m = keep1 * first[s.moment + i] + take1 * g;
    const float v = keep2 * second[s.moment + i] + take2 * g * g;
    first[s.moment + i] = m;
    second[s.moment + i] = v;
    next[i] = value[i] - rate * m / (sqrtf(v) * root + epsilon);
  }
}

// next = (1 - momentum) running + momentum factor batch: a block a layer's vector. pointers = [running, batch,
// next] x vectors.
extern "C" __global__ void blend(float *const *pointers, const int *lengths, const float *factors, int vectors,
                                 float momentum) {
  const int v = blockIdx.x;
  const float *running = pointers[v], *batch = pointers[vectors + v];
  float *next = pointers[2 * vectors + v];
  for (int i = threadIdx.x; i < lengths[v]; i += blockDim.x)
    next[i] = (1 - momentum) * running[i] + momentum * factors[v] * batch[i];
}

// One value of a plane under a transform: bilinear, coordinates clamped, as training::augment has it. matrix =
// [yy, yx, y0, xy, xx, x0]. The coordinates are kept in f64: f32 would move samples by up to 1e-5 pixels.
template <class T>
__device__ __forceinline__ float warp(const T *plane, int h, int w, const double *m, int row, int column) {
  const double y = fmin(fmax(m[0] * row + m[1] * column + m[2], 0.0), h - 1.0);
  const double x = fmin(fmax(m[3] * row + m[4] * column + m[5], 0.0), w - 1.0);
  const int top = (int)y, left = (int)x, bottom = min(top + 1, h - 1), right = min(left + 1, w - 1);
  const float fy = (float)(y - top), fx = (float)(x - left);
  const float a = plane[(i64)top * w + left], b = plane[(i64)top * w + right];
  const float c = plane[(i64)bottom * w + left], d = plane[(i64)bottom * w + right];
  const float upper = a + (b - a) * fx, lower = c + (d - c) * fx;
  return upper + (lower - upper) * fy;
}

struct Normalisation {
  float mean[3], std[3];
};

// Grey planes of 16-bit levels to the network's input [n, h, w, 3].
template <class T>
__device__ __forceinline__ void network_input(const unsigned short *grey, const double *matrices, int n, int h, int w,
                                              Normalisation norm, T *y) {
  EACH(i, (i64)n * h * w) {
    const i64 image = i / w / h;
    const float v = warp(grey + image * h * w, h, w, matrices + 6 * image, (int)(i / w % h), (int)(i % w)) / 65535.0f;
    for (int k = 0; k < 3; ++k) y[3 * i + k] = narrow<T>((v - norm.mean[k]) / norm.std[k]);
  }
}

extern "C" __global__ void network_input_f32(const unsigned short *grey, const double *matrices, int n, int h, int w,
                                             Normalisation norm, float *y) {
  network_input<float>(grey, matrices, n, h, w, norm, y);
}
extern "C" __global__ void network_input_bf16(const unsigned short *grey, const double *matrices, int n, int h, int w,
                                              Normalisation norm, bf16 *y) {
  network_input<bf16>(grey, matrices, n, h, w, norm, y);
}

// Masks of 0 and 1 under the same transforms; inside from one half on.
extern "C" __global__ void warp_masks(const unsigned char *masks, const double *matrices, int n, int h, int w,
                                      unsigned char *y) {
  EACH(i, (i64)n * h * w) {
    const i64 image = i / w / h;
    y[i] = warp(masks + image * h * w, h, w, matrices + 6 * image, (int)(i / w % h), (int)(i % w)) >= 0.5f;
  }
}
