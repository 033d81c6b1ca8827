// What all kernels share: numbers of either type, packs of them, and the list of feature maps that one operation
// reads. Activations are [rows, channels] with rows = images x pixels; everything is computed in f32.
#pragma once
#include <cuda_bf16.h>

typedef __nv_bfloat16 bf16;
typedef long long i64;

// Feature maps that one operation may read; NormParts in norm.rs is the same structure.
#define MOST_PARTS 32

__device__ __forceinline__ float widen(float v) { return v; }
__device__ __forceinline__ float widen(bf16 v) { return __bfloat162float(v); }
template <class T> __device__ __forceinline__ T narrow(float v);
template <> __device__ __forceinline__ float narrow<float>(float v) { return v; }
template <> __device__ __forceinline__ bf16 narrow<bf16>(float v) { return __float2bfloat16(v); }

// V neighbouring channels, moved in one instruction.
template <class T, int V> struct alignas(sizeof(T) * V) Pack {
  T v[V];
};

template <class T, int V> __device__ __forceinline__ void load(const T *p, float *out) {
  Pack<T, V> pack = *reinterpret_cast<const Pack<T, V> *>(p);
#pragma unroll
  for (int i = 0; i < V; ++i) out[i] = widen(pack.v[i]);
}

template <class T, int V> __device__ __forceinline__ void store(T *p, const float *in) {
  Pack<T, V> pack;
#pragma unroll
  for (int i = 0; i < V; ++i) pack.v[i] = narrow<T>(in[i]);
  *reinterpret_cast<Pack<T, V> *>(p) = pack;
}

struct Parts {
  const void *x[MOST_PARTS];
  const float *mean[MOST_PARTS];
  const float *variance[MOST_PARTS];
  // First channel of each part, then the number of all channels.
  int first[MOST_PARTS + 1];
  int count;
};

struct Targets {
  void *dx[MOST_PARTS]; // null where no gradient is wanted
  int add[MOST_PARTS];  // whether to add to what is there
};

__device__ __forceinline__ int part_of(const Parts &parts, int channel) {
  int part = 0;
  while (channel >= parts.first[part + 1]) ++part;
  return part;
}

// The kernels over [rows, channels] walk down the rows with one group of V channels a thread: what belongs to a
// channel stays in registers, and neighbouring threads read neighbouring memory.
#define EACH_ROW(row, rows)                                                                                            \
  for (i64 row = (i64)blockIdx.y * blockDim.y + threadIdx.y; row < (rows); row += (i64)gridDim.y * blockDim.y)

// All elements, one after the other.
#define EACH(i, n) for (i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x; i < (n); i += (i64)gridDim.x * blockDim.x)

// Adds two values of every group over the threads of a block that share it; `shared` holds 2 V floats a thread.
// The sums are left with threadIdx.y == 0.
template <int V> __device__ __forceinline__ void sum_over_lanes(float *a, float *b, float *shared) {
  const int width = blockDim.x * V * 2;
  float *mine = shared + threadIdx.y * width + threadIdx.x * V * 2;
#pragma unroll
  for (int i = 0; i < V; ++i) mine[i] = a[i], mine[V + i] = b[i];
  int span = 1;
  while (span < blockDim.y) span *= 2;
  for (span /= 2; span > 0; span /= 2) {
    __syncthreads();
    if (threadIdx.y < span && threadIdx.y + span < blockDim.y) {
#pragma unroll
      for (int i = 0; i < 2 * V; ++i) mine[i] += mine[span * width + i];
    }
  }
#pragma unroll
  for (int i = 0; i < V; ++i) a[i] = mine[i], b[i] = mine[V + i];
}

// Makes NAME_f32, NAME_bf16 and, for channel counts that the wide packs do not divide, NAME_f32_1 and NAME_bf16_1.
#define FOR_TYPES_AND_WIDTHS(MACRO) MACRO(f32, float, 4) MACRO(bf16, bf16, 8) MACRO(f32_1, float, 1) MACRO(bf16_1, bf16, 1)
#define FOR_TYPES(MACRO) MACRO(f32, float) MACRO(bf16, bf16)
