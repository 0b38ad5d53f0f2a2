// Parts that kernels of matrix products share: vectors of 16 bytes, and the tiles of operands in
// shared memory.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/core/async_copy.cuh"
#include "tandem/core/types.hpp"

namespace tandem::cuda {

inline constexpr int warp_lanes = 32;

// `count` elements that are loaded and stored as one: CUDA's vector types, because compilers take
// apart stores of other structures.
template <Real T, int count>
struct VectorOf;
template <>
struct VectorOf<float, 2> {
  using type = float2;
};
template <>
struct VectorOf<float, 4> {
  using type = float4;
};
template <>
struct VectorOf<double, 2> {
  using type = double2;
};
template <int count, Real T>
__device__ void load_pack(const T* from, T* values) {
  using Vector = typename VectorOf<T, count>::type;
  const Vector vector = *reinterpret_cast<const Vector*>(from);
  values[0] = vector.x;
  values[1] = vector.y;
  if constexpr (count == 4) {
    values[2] = vector.z;
    values[3] = vector.w;
  }
}
template <int count, Real T>
__device__ auto packed(const T* values) {
  typename VectorOf<T, count>::type vector;
  vector.x = values[0];
  vector.y = values[1];
  if constexpr (count == 4) {
    vector.z = values[2];
    vector.w = values[3];
  }
  return vector;
}
template <int count, Real T>
__device__ void store_pack(const T* values, T* to) {
  *reinterpret_cast<typename VectorOf<T, count>::type*>(to) = packed<count>(values);
}
// To global memory. By an instruction of its own (with the ordinary cache policy), because the
// compiler would merge it with the stores of single elements in another branch.
template <int count, Real T>
__device__ void store_pack_global(const T* values, T* to) {
  __stwb(reinterpret_cast<typename VectorOf<T, count>::type*>(to), packed<count>(values));
}

template <Real T>
constexpr int vector_length = 16 / static_cast<int>(sizeof(T));

// Whether every row of a matrix begins at a multiple of 16 bytes.
template <Real T>
bool rows_aligned(const T* matrix, Index ld) {
  return reinterpret_cast<std::uintptr_t>(matrix) % 16 == 0 && ld % vector_length<T> == 0;
}

// `depth` steps of k of an operand's `extent` rows or columns, in shared memory: element (outer o,
// step l) at l · stride + o. An operand that is stored that way (A transposed, B not) is copied in
// vectors of 16 bytes where its rows are aligned, otherwise element by element. One that is stored
// with k along its rows is transposed on the way, which takes single elements: a warp copies 8
// consecutive steps, whole sectors of 32 bytes, of 4 outer indices. The stride of such a tile is
// 16 bytes above a multiple of the extent, so that those 32 elements lie in different banks.
template <Real T, int extent, int depth, int threads, bool k_along_rows>
struct OperandTile {
  static constexpr int vector = vector_length<T>;
  static constexpr int stride = extent + (k_along_rows ? vector : 0);
  static constexpr int elements = depth * stride;
  static constexpr int per_thread = depth * extent / threads;
  static_assert(depth * extent % (threads * vector) == 0, "threads copy equal parts");
  static_assert(depth % 8 == 0, "8 steps by 4 outer indices of a warp");

  // Visits the tile that begins at `source`, with `outer` rows or columns and `steps` steps of k
  // inside the matrix: calls element(i, offset in shared memory, address, inside) for this thread's
  // elements i = 0 .. per_thread − 1, or vector(i, offset, address, elements inside) for vectors,
  // of elements i .. i + vector − 1.
  template <class Element, class Vector>
  __device__ static void for_each(const T* source, Index ld, int outer, int steps, bool aligned,
                                  Element&& element, Vector&& vectors) {
    unsigned opaque = threadIdx.x;
    // As if both were other values in each stage: otherwise every element's offset would be kept in
    // registers during the loop over k.
    asm volatile("" : "+r"(opaque), "+l"(ld));
    const auto thread = static_cast<int>(opaque % threads);
    if constexpr (k_along_rows) {
      const int l = thread % 8;
      const int o = thread / 8;
      constexpr int step = threads / 8;
      static_assert(extent % step == 0, "threads copy equal parts");
      const T* from = source + o * ld + l;
#pragma unroll
      for (int i = 0; i < extent / step; ++i) {
        const int at = o + i * step;
#pragma unroll
        for (int group = 0; group < depth / 8; ++group) {
          element(i * (depth / 8) + group, (l + group * 8) * stride + at, from + group * 8,
                  at < outer && l + group * 8 < steps);
        }
        from += step * ld;
      }
    } else if (aligned) {
      constexpr int row_vectors = extent / vector;
      constexpr int step = threads / row_vectors;
      static_assert(threads % row_vectors == 0, "a thread keeps its columns");
      const int o = thread % row_vectors * vector;
      const int l = thread / row_vectors;
      const int inside = max(0, min(vector, outer - o));
      const T* from = source + l * ld + o;
#pragma unroll
      for (int i = 0; i < per_thread / vector; ++i) {
        const int at = l + i * step;
        vectors(i * vector, at * stride + o, from, at < steps ? inside : 0);
        from += step * ld;
      }
    } else {
      constexpr int step = threads / extent;
      static_assert(threads % extent == 0, "a thread keeps its column");
      const int o = thread % extent;
      const int l = thread / extent;
      const T* from = source + l * ld + o;
#pragma unroll
      for (int i = 0; i < per_thread; ++i) {
        const int at = l + i * step;
        element(i, at * stride + o, from, at < steps && o < outer);
        from += step * ld;
      }
    }
  }

  // Between begin() and the barrier after await_async_copies(), and finish(), the tile is not
  // complete. `staged` holds the elements on devices without asynchronous copies.
  __device__ static void begin(T* tile, [[maybe_unused]] T (&staged)[per_thread], const T* source,
                               Index ld, int outer, int steps, bool aligned) {
    constexpr int size = static_cast<int>(sizeof(T));
    if constexpr (has_async_copy) {
      for_each(
          source, ld, outer, steps, aligned,
          [&](int, int offset, const T* from, bool inside) {
            async_copy<size>(tile + offset, from, inside ? size : 0);
          },
          [&](int, int offset, const T* from, int inside) {
            async_copy<16>(tile + offset, from, inside * size);
          });
    } else {
      for_each(
          source, ld, outer, steps, aligned,
          [&](int i, int, const T* from, bool inside) { staged[i] = inside ? *from : T{0}; },
          [&](int i, int, const T* from, int inside) {
            if (inside == vector) {
              load_pack<vector>(from, staged + i);
            } else {
#pragma unroll
              for (int v = 0; v < vector; ++v) staged[i + v] = v < inside ? from[v] : T{0};
            }
          });
    }
  }
  __device__ static void finish([[maybe_unused]] T* tile,
                                [[maybe_unused]] const T (&staged)[per_thread],
                                [[maybe_unused]] bool aligned) {
    if constexpr (!has_async_copy) {
      for_each(
          static_cast<const T*>(nullptr), 0, 0, 0, aligned,
          [&](int i, int offset, const T*, bool) { tile[offset] = staged[i]; },
          [&](int i, int offset, const T*, int) { store_pack<vector>(staged + i, tile + offset); });
    }
  }
};

}  // namespace tandem::cuda
