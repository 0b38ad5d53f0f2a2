// Silhouettes on the GPU: distances of all rows to all rows, added up as they come.
#include "core/metrics/silhouette_steps.hpp"

#include <cuda_pipeline.h>

#include <algorithm>
#include <limits>

#include "cuda/core/engine.hpp"
#include "cuda/core/long_sum.cuh"
#include "cuda/metrics/silhouette_cost.hpp"
#include "tandem/core/math.hpp"

namespace tandem::cuda {
namespace {

constexpr int Q = SilhouetteShape::rows_per_warp;

// The silhouettes of W · 8 rows per block of W warps.
//
// Mapping. The lanes of a warp are the lanes of the long sums: lane l has the l-th of 32
// consecutive members of a cluster, and 8 rows of the warp to compare it with, so that 8 chains and
// 8 sums are in registers. All warps of a block go through the same members together, so a member
// is fetched once for W · 8 rows. Grid: ceil(rows / (W · 8)) blocks; W is block_threads / 32, any
// number.
//
// Shared memory. Two stages of 32 members × `depth` features, turned so that a feature of all
// members lies side by side (pitch 33: written by features, read by members, no bank conflicts);
// while one is used the next comes by cp.async, 4 or 8 bytes a thread. The block's rows, feature by
// feature, lie beside them: all features where they fit, else in stages of their own. A thread
// reads one member's feature and, the same for all lanes, its 8 rows'. Two synchronisations per
// stage.
//
// Numerics. acc = fma(d, d, acc) over ascending features in T, sqrt in T, then the long sum of the
// cluster in double; members past the end add nothing. After 1024 members, and at the cluster's
// end, the lanes are added by halves. Lane q keeps what row q needs of the clusters seen so far,
// and the tree over the blocks of the one at hand (in local memory, touched once per 1024 members).
//
// silhouette_kernel_cost() counts bytes and flops: rows² · (3 · cols + 2) flops, bound by them from
// about eight features on. CPU twin: Silhouettes in cpu/metrics/silhouette.cpp.
template <class T>
__global__ void __launch_bounds__(256, 1)
    silhouette_kernel(const T* __restrict__ x, Index rows, Index cols,
                      const Index* __restrict__ members, const Index* __restrict__ first,
                      Index clusters, const std::int32_t* __restrict__ cluster, int depth,
                      bool resident, double* __restrict__ values) {
  constexpr int pitch = SilhouetteShape::pitch;
  extern __shared__ __align__(16) unsigned char memory[];
  const int lane = static_cast<int>(threadIdx.x % warp_size);
  const int warp = static_cast<int>(threadIdx.x / warp_size);
  const int block_rows = static_cast<int>(blockDim.x / warp_size) * Q;
  const Index first_row = static_cast<Index>(blockIdx.x) * block_rows;
  const auto chunks = static_cast<int>(cols > 0 ? (cols + depth - 1) / depth : 1);
  const int row_pitch = SilhouetteShape::row_pitch(block_rows, sizeof(T));
  const int row_slot = depth * row_pitch;
  const int member_slot = depth * pitch;
  T* const row_stages = reinterpret_cast<T*>(memory);
  T* const member_stages = row_stages + (resident ? chunks : 2) * row_slot;

  // Threads side by side copy consecutive features of one row: `span` of them, a power of two.
  int span = 1;
  while (span < 32 && span < depth) span *= 2;
  const auto copy_chunk = [&](T* to, int to_pitch, int chunk, Index source, int slot) {
    const Index f0 = static_cast<Index>(chunk) * depth;
    const int here = static_cast<int>(cols - f0 < depth ? cols - f0 : depth);
    for (int f = static_cast<int>(threadIdx.x) % span; f < here; f += span) {
      T* const element = to + f * to_pitch + slot;
      if (source >= 0) {
        __pipeline_memcpy_async(element, x + source * cols + f0 + f, sizeof(T));
      } else {
        *element = T{0};
      }
    }
  };
  const int slots_at_once = static_cast<int>(blockDim.x) / span;
  const int own_slot = static_cast<int>(threadIdx.x) / span;
  const auto load_rows = [&](int chunk, int slot_of_chunk) {
    for (int s = own_slot; s < block_rows; s += slots_at_once) {
      const Index row = first_row + s;
      copy_chunk(row_stages + slot_of_chunk * row_slot, row_pitch, chunk, row < rows ? row : -1, s);
    }
  };
  const auto load_members = [&](int chunk, int stage, Index group, Index end) {
    for (int s = own_slot; s < 32; s += slots_at_once) {
      const Index at = group + s;
      copy_chunk(member_stages + stage * member_slot, pitch, chunk, at < end ? members[at] : -1, s);
    }
  };

  // Lane q of the warp: what the clusters so far say of row q.
  const Index own_row = first_row + warp * Q + lane;
  const bool has_row = lane < Q && own_row < rows;
  const std::int32_t own_cluster = has_row ? cluster[own_row] : -1;
  double own = 0;
  double nearest = std::numeric_limits<double>::infinity();

  if (resident) {
    for (int chunk = 0; chunk < chunks; ++chunk) load_rows(chunk, chunk);
  }
  const auto load = [&](int chunk, int stage, Index group, Index end) {
    if (!resident) load_rows(chunk, stage);
    load_members(chunk, stage, group, end);
  };
  load(0, 0, first[0], first[1]);
  __pipeline_commit();
  int stage = 0;
  for (Index c = 0; c < clusters; ++c) {
    const Index begin = first[c];
    const Index end = first[c + 1];
    double sums[Q] = {};
    SumTree<> cluster_sum;  // of row `lane`
    for (Index group = begin; group < end; group += sum_lanes) {
      T squares[Q] = {};
      for (int chunk = 0; chunk < chunks; ++chunk) {
        // Starts the load that follows this stage.
        if (chunk + 1 < chunks) {
          load(chunk + 1, 1 - stage, group, end);
        } else if (group + sum_lanes < end) {
          load(0, 1 - stage, group + sum_lanes, end);
        } else if (c + 1 < clusters) {
          load(0, 1 - stage, end, first[c + 2]);
        }
        __pipeline_commit();
        __pipeline_wait_prior(1);
        __syncthreads();
        const Index left = cols - static_cast<Index>(chunk) * depth;
        const int here = static_cast<int>(left < depth ? left : depth);
        const T* member = member_stages + stage * member_slot + lane;
        const T* row = row_stages + (resident ? chunk : stage) * row_slot + warp * Q;
#pragma unroll 2
        for (int f = 0; f < here; ++f, member += pitch, row += row_pitch) {
          using Vector = std::conditional_t<sizeof(T) == 4, float4, double2>;
          constexpr int vector = 16 / static_cast<int>(sizeof(T));
          const T value = *member;
          T coordinate[Q];
#pragma unroll
          for (int q = 0; q < Q; q += vector) {
            *reinterpret_cast<Vector*>(coordinate + q) = *reinterpret_cast<const Vector*>(row + q);
          }
#pragma unroll
          for (int q = 0; q < Q; ++q) {
            const T difference = coordinate[q] - value;
            squares[q] = fma(difference, difference, squares[q]);
          }
        }
        __syncthreads();
        stage = 1 - stage;
      }
      if (group + lane < end) {
#pragma unroll
        for (int q = 0; q < Q; ++q) sums[q] += static_cast<double>(math::sqrt(squares[q]));
      }
      if (group + sum_lanes < end && (group + sum_lanes - begin) % sum_block != 0) continue;
      double own_sum = 0;
#pragma unroll
      for (int q = 0; q < Q; ++q) {
        const double block_sum = __shfl_sync(all_lanes, add_lanes_of_warp(sums[q]), 0);
        if (lane == q) own_sum = block_sum;
        sums[q] = 0;
      }
      cluster_sum.add(own_sum);
    }
    const Index size = end - begin;
    const double total = cluster_sum.total();
    if (c == own_cluster) {
      own = size > 1 ? total / static_cast<double>(size - 1) : 0.0;
    } else {
      const double mean = total / static_cast<double>(size);
      nearest = mean < nearest ? mean : nearest;
    }
  }
  if (!has_row) return;
  values[own_row] = silhouette_of(own, nearest, first[own_cluster + 1] - first[own_cluster]);
}

template <Real T>
class CudaSilhouette final : public SilhouetteSteps<T> {
 public:
  explicit CudaSilhouette(Engine& engine) : engine_(cuda_engine(engine)) {}

  void values(const Buffer<T>& x, Index cols, const Buffer<Index>& members,
              const Buffer<Index>& first, const Buffer<std::int32_t>& cluster,
              Buffer<double>& values) override {
    const Index rows = values.size();
    const SilhouetteShape shape = silhouette_shape(
        cols, sizeof(T), static_cast<int>(std::min(engine_.block_threads(256), 256U)));
    engine_.launch(silhouette_kernel<T>,
                   {.grid = dim3(static_cast<unsigned>(blocks_for(rows, shape.block_rows()))),
                    .block = dim3(static_cast<unsigned>(shape.warps) * warp_size),
                    .shared_bytes = static_cast<std::size_t>(shape.shared_bytes)},
                   x.data(), rows, cols, members.data(), first.data(), first.size() - 1,
                   cluster.data(), shape.depth, shape.resident, values.data());
  }

 private:
  CudaEngine& engine_;
};

}  // namespace
}  // namespace tandem::cuda

extern "C" {
void* tandem_cuda_silhouette_float32(tandem::Engine& engine) {
  return static_cast<tandem::SilhouetteSteps<float>*>(
      new tandem::cuda::CudaSilhouette<float>(engine));
}
void* tandem_cuda_silhouette_float64(tandem::Engine& engine) {
  return static_cast<tandem::SilhouetteSteps<double>*>(
      new tandem::cuda::CudaSilhouette<double>(engine));
}
}
