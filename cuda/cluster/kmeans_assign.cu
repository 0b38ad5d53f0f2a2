// Scores of all rows against all centres, and the nearest centre of each row, in one kernel.
#include <cuda_pipeline.h>

#include <limits>

#include "cuda/cluster/kmeans.cuh"

namespace tandem::cuda::kmeans {
namespace {

constexpr int R = AssignShape::panels_per_warp;

// 32 centres per block: c' = fl(c − o), its square, and −2c' by features.
//
// Grid: ceil(padded / 32) blocks of any number of warps. Per step of 32 features the block moves a
// tile of 32 × 32 through shared memory (pitch 33: rows are written, columns read without
// conflicts); then the first warp, a centre per lane, carries on the chain of ‖c'‖², which is
// ascending in features. Reads 32·d elements a block in runs of 32, writes as many. Done once for
// each assign, on k·d elements: no time beside the scores. Two synchronisations per step. CPU twin:
// move_centres in cpu/cluster/kmeans.cpp and CentreTiles in kmeans_bounds.cpp.
template <class T>
__global__ void prepare_centres_kernel(const T* __restrict__ from, const T* __restrict__ origin,
                                       Index features, Centres<T> centres) {
  __shared__ T tile[32][33];
  const int lane = static_cast<int>(threadIdx.x % 32);
  const int warp = static_cast<int>(threadIdx.x / 32);
  const int warps = static_cast<int>(blockDim.x / 32);
  const Index first = static_cast<Index>(blockIdx.x) * 32;
  T square = 0;
  for (Index f0 = 0; f0 < features; f0 += 32) {
    const bool has_feature = f0 + lane < features;
    for (int r = warp; r < 32; r += warps) {
      T value = 0;
      if (has_feature && first + r < centres.count) {
        value = from[(first + r) * features + f0 + lane] - origin[f0 + lane];
      }
      tile[r][lane] = value;
    }
    __syncthreads();
    const int here = static_cast<int>(features - f0 < 32 ? features - f0 : 32);
    if (first + lane < centres.padded) {
      for (int f = warp; f < here; f += warps) {
        centres.values[(f0 + f) * centres.padded + first + lane] = T{-2} * tile[lane][f];
      }
    }
    if (warp == 0) {
      for (int f = 0; f < here; ++f) square = fma(tile[lane][f], tile[lane][f], square);
    }
    __syncthreads();
  }
  if (warp == 0 && first + lane < centres.padded) {
    centres.squares[first + lane] =
        first + lane < centres.count ? square : std::numeric_limits<T>::infinity();
  }
}

// `count` consecutive elements, a multiple of 16 bytes, as the lanes of one warp copy them; zeros
// where `present` is false.
template <class T>
__device__ void copy_run(T* to, const T* from, int count, bool present, int lane) {
  constexpr int step = 16 / static_cast<int>(sizeof(T));
  for (int i = lane * step; i < count; i += 32 * step) {
    __pipeline_memcpy_async(to + i, from + (present ? i : 0), 16, present ? 0 : 16);
  }
}

// The nearest of all centres to each row: no score leaves the registers.
//
// Blocks and threads. A block of W warps has W/V groups of V warps. A group takes 4 panels (128
// rows): each of its threads has one row of each panel, and each of its warps C of the V·C centres
// of a tile. So a thread keeps 4·C chains in registers, reads 4 elements of rows (32 lanes: 32
// consecutive words, no bank conflicts) and C of centres (all lanes the same: a broadcast, 16 bytes
// at a time) per feature, and does 4·C fmas with them. Grid: ceil(panels / (4·W/V)) blocks. W is
// block_threads / 32, at most 8; V is 1, 2 or 4 and C 4, 8 or 16 as the number of centres asks
// (assign_shape); results depend on none of it.
//
// Shared memory. Stages of `depth` features, of the block's rows and of the tile's centres, two of
// each: while one is used, the next comes by cp.async (16 bytes a thread; plain loads on 7.5).
// Where all features of the block's rows fit into 48 KiB beside the centres, they stay there from
// the first tile on, and rows are read once; where not, once per tile (from L2, if the block's rows
// fit there: 128 rows of a thousand floats are 512 KiB). Two synchronisations per stage.
//
// Numerics. score = fma(x'_{d−1}, −2c'_{d−1}, ... fma(x'_0, −2c'_0, ‖c'‖²)), each chain in one
// register, ascending over stages; a thread meets its centres in ascending order and takes a later
// one only if its score is less; between the V warps of a group equal scores go to the lower index.
// So the label is the lowest index of the least score for any shape.
//
// Bytes and flops: assign_kernel_cost(). For k >= 64 bound by fmas, below about 32 by memory. CPU
// twin: nearest_centres in cpu/cluster/kmeans_scores-inl.hpp.
template <class T, int C, int V>
__global__ void __launch_bounds__(256)
    assign_kernel(Rows<T> rows, Centres<T> centres, int depth, bool resident,
                  std::int32_t* __restrict__ labels) {
  constexpr int tile_centres = C * V;
  constexpr int vector = 16 / static_cast<int>(sizeof(T));
  using Vector = std::conditional_t<sizeof(T) == 4, float4, double2>;
  extern __shared__ __align__(16) unsigned char memory[];

  const int lane = static_cast<int>(threadIdx.x % 32);
  const int warp = static_cast<int>(threadIdx.x / 32);
  const int warps = static_cast<int>(blockDim.x / 32);
  const int group = warp / V;
  const int part = warp % V;
  const int block_panels = warps / V * R;
  const Index features = rows.features;
  const Index panels = (rows.count + panel_rows - 1) / panel_rows;
  const Index first_panel = static_cast<Index>(blockIdx.x) * block_panels;
  const Index own_panel = first_panel + group * R;
  const bool idle = own_panel >= panels;

  const auto chunks = static_cast<int>((features + depth - 1) / depth);
  const auto tiles = static_cast<int>(centres.padded / tile_centres);
  const int row_slot = block_panels * depth * 32;
  const int centre_slot = depth * tile_centres;
  T* const centre_stages = reinterpret_cast<T*>(memory);
  T* const row_stages = centre_stages + 2 * centre_slot;

  const auto load = [&](int tile, int chunk, int stage) {
    const Index f0 = static_cast<Index>(chunk) * depth;
    const int here = static_cast<int>(features - f0 < depth ? features - f0 : depth);
    if (!resident || tile == 0) {
      T* const to = row_stages + (resident ? chunk : stage) * row_slot;
      for (int p = warp; p < block_panels; p += warps) {
        const bool present = first_panel + p < panels;
        const T* const from =
            present ? rows.panels + ((first_panel + p) * features + f0) * 32 : rows.panels;
        copy_run(to + p * depth * 32, from, here * 32, present, lane);
      }
    }
    T* const to = centre_stages + stage * centre_slot;
    const T* const from = centres.values + f0 * centres.padded + tile * tile_centres;
    constexpr int per_feature = tile_centres / vector;
    for (int i = static_cast<int>(threadIdx.x); i < here * per_feature;
         i += static_cast<int>(blockDim.x)) {
      const int f = i / per_feature;
      const int at = i % per_feature * vector;
      __pipeline_memcpy_async(to + f * tile_centres + at, from + f * centres.padded + at, 16);
    }
  };

  T best[R];
  std::int32_t nearest[R];
#pragma unroll
  for (int r = 0; r < R; ++r) {
    best[r] = std::numeric_limits<T>::infinity();
    nearest[r] = 0;
  }
  T score[R][C];

  load(0, 0, 0);
  __pipeline_commit();
  int stage = 0;
  for (int tile = 0; tile < tiles; ++tile) {
    const int first_centre = tile * tile_centres + part * C;
    if (!idle) {
#pragma unroll
      for (int c = 0; c < C; ++c) {
        const T square = centres.squares[first_centre + c];
#pragma unroll
        for (int r = 0; r < R; ++r) score[r][c] = square;
      }
    }
    for (int chunk = 0; chunk < chunks; ++chunk) {
      const bool last_of_tile = chunk + 1 == chunks;
      if (!last_of_tile || tile + 1 < tiles) {
        load(last_of_tile ? tile + 1 : tile, last_of_tile ? 0 : chunk + 1, 1 - stage);
      }
      __pipeline_commit();
      __pipeline_wait_prior(1);
      __syncthreads();
      if (!idle) {
        const Index left = features - static_cast<Index>(chunk) * depth;
        const int here = static_cast<int>(left < depth ? left : depth);
        const T* x =
            row_stages + (resident ? chunk : stage) * row_slot + group * R * depth * 32 + lane;
        const T* c = centre_stages + stage * centre_slot + part * C;
#pragma unroll 2
        for (int f = 0; f < here; ++f, x += 32, c += tile_centres) {
          T value[R];
#pragma unroll
          for (int r = 0; r < R; ++r) value[r] = x[r * depth * 32];
          T coordinate[C];
#pragma unroll
          for (int i = 0; i < C; i += vector) {
            *reinterpret_cast<Vector*>(coordinate + i) = *reinterpret_cast<const Vector*>(c + i);
          }
#pragma unroll
          for (int i = 0; i < C; ++i) {
#pragma unroll
            for (int r = 0; r < R; ++r) score[r][i] = fma(value[r], coordinate[i], score[r][i]);
          }
        }
      }
      __syncthreads();
      stage = 1 - stage;
    }
    if (!idle) {
#pragma unroll
      for (int c = 0; c < C; ++c) {
#pragma unroll
        for (int r = 0; r < R; ++r) {
          if (score[r][c] < best[r]) {
            best[r] = score[r][c];
            nearest[r] = first_centre + c;
          }
        }
      }
    }
  }

  if constexpr (V > 1) {
    // The warps of a group compare their best. The stages are not needed any more.
    const int block_rows = block_panels * 32;
    T* const bests = reinterpret_cast<T*>(memory);
    auto* const nearests = reinterpret_cast<std::int32_t*>(bests + V * block_rows);
    if (!idle && part > 0) {
#pragma unroll
      for (int r = 0; r < R; ++r) {
        const int at = part * block_rows + (group * R + r) * 32 + lane;
        bests[at] = best[r];
        nearests[at] = nearest[r];
      }
    }
    __syncthreads();
    if (idle || part > 0) return;
#pragma unroll
    for (int r = 0; r < R; ++r) {
      for (int other = 1; other < V; ++other) {
        const int at = other * block_rows + (group * R + r) * 32 + lane;
        if (bests[at] < best[r] || (bests[at] == best[r] && nearests[at] < nearest[r])) {
          best[r] = bests[at];
          nearest[r] = nearests[at];
        }
      }
    }
  } else if (idle) {
    return;
  }
#pragma unroll
  for (int r = 0; r < R; ++r) {
    const Index row = (own_panel + r) * panel_rows + lane;
    if (row < rows.count) labels[row] = nearest[r];
  }
}

}  // namespace

template <Real T>
void prepare_centres(CudaEngine& engine, const T* from, const T* origin, Index features,
                     const Centres<T>& centres) {
  engine.launch(prepare_centres_kernel<T>,
                {.grid = dim3(static_cast<unsigned>(blocks_for(centres.padded, 32))),
                 .block = dim3(engine.block_threads(256))},
                from, origin, features, centres);
}

template <Real T>
void assign(CudaEngine& engine, const Rows<T>& rows, const Centres<T>& centres,
            const AssignShape& shape, std::int32_t* labels) {
  const auto launch = [&](auto* kernel) {
    engine.launch(
        kernel,
        {.grid = dim3(static_cast<unsigned>(blocks_for(rows.panel_count(), shape.block_panels()))),
         .block = dim3(static_cast<unsigned>(shape.warps) * 32),
         .shared_bytes = static_cast<std::size_t>(shape.shared_bytes)},
        rows, centres, shape.depth, shape.resident, labels);
  };
  constexpr int most = sizeof(T) == 4 ? 16 : 8;
  if (shape.centres_per_thread == 4) return launch(assign_kernel<T, 4, 1>);
  if constexpr (most == 16) {
    if (shape.centres_per_thread == 8) return launch(assign_kernel<T, 8, 1>);
  }
  switch (shape.centre_warps) {
    case 1: return launch(assign_kernel<T, most, 1>);
    case 2: return launch(assign_kernel<T, most, 2>);
    default: return launch(assign_kernel<T, most, 4>);
  }
}

#define TANDEM_INSTANTIATE(T)                                                               \
  template void prepare_centres(CudaEngine&, const T*, const T*, Index, const Centres<T>&); \
  template void assign(CudaEngine&, const Rows<T>&, const Centres<T>&, const AssignShape&,  \
                       std::int32_t*);
TANDEM_INSTANTIATE(float)
TANDEM_INSTANTIATE(double)
#undef TANDEM_INSTANTIATE

}  // namespace tandem::cuda::kmeans
