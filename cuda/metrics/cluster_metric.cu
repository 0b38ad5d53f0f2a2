// The passes behind the Davies-Bouldin and the Calinski-Harabasz index.
#include <bit>
#include <cub/device/device_radix_sort.cuh>
#include <vector>

#include "core/metrics/cluster_steps.hpp"
#include "core/steps.hpp"
#include "cuda/core/check.hpp"
#include "cuda/core/long_sum.cuh"

namespace tandem::cuda {
namespace {

constexpr unsigned columns_at_once = 32;
// A tile per warp: few enough that 48 KiB hold them.
constexpr unsigned most_distance_threads = 128;

// A block of a long sum: positions begin .. end − 1, of the members of a cluster or of all rows.
struct Task {
  Index begin;
  Index end;
  Index cluster;
};

// numbers[i] = i. One thread per row; writes 8 bytes.
__global__ void number_rows_kernel(Index rows, Index* __restrict__ numbers) {
  const Index i = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i < rows) numbers[i] = i;
}

// Sums of the columns over the members of a task: partial[task · cols + j]. `members` null: the
// positions are the rows.
//
// A thread block of 32 × 32 threads takes one task and 32 columns; threadIdx.x is the column, so
// that a warp reads 32 consecutive elements of a row (members are anywhere: a row is the unit), and
// threadIdx.y a lane of the long sum. The lanes are then added by a warp through shared memory, 33
// wide against bank conflicts. Grid: (ceil(cols / 32), tasks), strided in y above 65535. Reads each
// element once. CPU twin: CpuClusterMetric::centroids.
template <Real T>
__global__ void __launch_bounds__(columns_at_once* sum_lanes)
    member_sums_kernel(const T* __restrict__ x, Index stride, Index cols,
                       const Index* __restrict__ members, const Task* __restrict__ tasks,
                       Index task_count, double* __restrict__ partial) {
  __shared__ double lanes[sum_lanes][columns_at_once + 1];
  const Index column = static_cast<Index>(blockIdx.x) * columns_at_once + threadIdx.x;
  for (Index t = blockIdx.y; t < task_count; t += gridDim.y) {
    double sum = 0.0;
    if (column < cols) {
      const Index end = tasks[t].end;
      for (Index m = tasks[t].begin + threadIdx.y; m < end; m += sum_lanes) {
        const Index row = members != nullptr ? members[m] : m;
        sum += static_cast<double>(x[row * stride + column]);
      }
    }
    lanes[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    const double total = add_lanes_of_warp(lanes[threadIdx.x][threadIdx.y]);
    const Index of_warp = static_cast<Index>(blockIdx.x) * columns_at_once + threadIdx.y;
    if (threadIdx.x == 0 && of_warp < cols) partial[t * cols + of_warp] = total;
    __syncthreads();
  }
}

// The sum over a task's rows of the (squared, or with `root` plain) distance to a centroid: that of
// the task, or with `cluster` that of the row's own cluster. Rows are members[position], or the
// positions themselves.
//
// A warp per task; ceil(tasks / warps of a block) blocks of any number of warps. A step is 32 rows,
// a lane of the long sum each; 32 features at a time go through the warp's own tile of shared
// memory (33 wide: rows are written and columns read without bank conflicts), so that global loads
// are runs of 32 elements; the lane then carries on its row's chain. No synchronisation beyond the
// warp. Bytes and flops: cluster_distances_cost(); bound by memory. CPU twin: squared_distance and
// row_sums.
template <Real T>
__global__ void centroid_distances_kernel(const T* __restrict__ x, Index stride, Index cols,
                                          const Index* __restrict__ members,
                                          const std::int32_t* __restrict__ cluster,
                                          const double* __restrict__ centroids,
                                          const Task* __restrict__ tasks, Index task_count,
                                          bool root, double* __restrict__ partial) {
  extern __shared__ __align__(16) unsigned char memory[];
  const unsigned lane = threadIdx.x % warp_size;
  const unsigned warp = threadIdx.x / warp_size;
  T* const tile = reinterpret_cast<T*>(memory) + warp * warp_size * (warp_size + 1);
  const Index t = static_cast<Index>(blockIdx.x) * (blockDim.x / warp_size) + warp;
  if (t >= task_count) return;  // the whole warp
  const Task task = tasks[t];
  double sum = 0.0;
  for (Index at = task.begin; at < task.end; at += warp_size) {
    const Index position = at + lane;
    const bool inside = position < task.end;
    Index row = 0;
    Index own = 0;
    if (inside) {
      row = members != nullptr ? members[position] : position;
      own = cluster != nullptr ? static_cast<Index>(cluster[row]) : task.cluster;
    }
    const double* const centroid = centroids + own * cols;
    double squares = 0;
    for (Index f0 = 0; f0 < cols; f0 += warp_size) {
      const Index left = cols - f0;
      const unsigned here = left < warp_size ? static_cast<unsigned>(left) : warp_size;
      for (unsigned r = 0; r < warp_size; ++r) {
        const Index of_lane = __shfl_sync(all_lanes, row, static_cast<int>(r));
        if (lane < here && at + r < task.end) {
          tile[r * (warp_size + 1) + lane] = x[of_lane * stride + f0 + lane];
        }
      }
      __syncwarp();
      if (inside) {
        for (unsigned f = 0; f < here; ++f) {
          const double d = static_cast<double>(tile[lane * (warp_size + 1) + f]) - centroid[f0 + f];
          squares = fma(d, d, squares);
        }
      }
      __syncwarp();
    }
    if (inside) sum += root ? sqrt(squares) : squares;
  }
  const double total = add_lanes_of_warp(sum);
  if (lane == 0) partial[t] = total;
}

// mean(c, j) = the tree over the tasks of cluster c of partial(task, j), divided by its size. One
// thread per (cluster, column); its stack of roots is in local memory, of which as many levels are
// touched as the cluster has.
__global__ void fold_tasks_kernel(const double* __restrict__ partial,
                                  const Index* __restrict__ first_task,
                                  const Index* __restrict__ first_member, Index clusters,
                                  Index cols, double* __restrict__ mean) {
  const Index e = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (e >= clusters * cols) return;
  const Index c = e / cols;
  const Index j = e % cols;
  SumTree<> tree;
  for (Index t = first_task[c]; t < first_task[c + 1]; ++t) tree.add(partial[t * cols + j]);
  mean[e] = tree.total() / static_cast<double>(first_member[c + 1] - first_member[c]);
}

template <Real T>
class CudaClusterMetric final : public ClusterMetricSteps<T> {
 public:
  explicit CudaClusterMetric(Engine& engine) : engine_(cuda_engine(engine)) {}

  // The row numbers sorted by cluster: CUB's radix sort, which is stable, over as many bits as
  // clusters need. 24 bytes of scratch memory per row.
  void list_members(const std::int32_t* cluster, Index rows, Index clusters,
                    Buffer<Index>& members) override {
    const unsigned threads = engine_.block_threads(256);
    Buffer<Index> numbers(engine_, rows);
    engine_.launch(
        number_rows_kernel,
        {.grid = dim3(static_cast<unsigned>(blocks_for(rows, threads))), .block = dim3(threads)},
        rows, numbers.data());
    Buffer<std::uint32_t> sorted(engine_, rows);
    const auto* keys = reinterpret_cast<const std::uint32_t*>(cluster);
    const int bits = static_cast<int>(std::bit_width(static_cast<std::uint64_t>(clusters - 1)));
    const auto sort = [&](void* scratch, std::size_t& bytes) {
      return cub::DeviceRadixSort::SortPairs(scratch, bytes, keys, sorted.data(), numbers.data(),
                                             members.data(), rows, 0, std::max(bits, 1),
                                             engine_.stream());
    };
    constexpr const char* what = "cub::DeviceRadixSort";
    engine_.before_library_call(what);
    std::size_t bytes = 0;
    TANDEM_CUDA(sort(nullptr, bytes));
    Buffer<std::byte> scratch(engine_, static_cast<Index>(bytes));
    TANDEM_CUDA(sort(scratch.data(), bytes));
    engine_.after_library_call(what);
  }

  void centroids(const ClusteredRows<T>& rows, Buffer<double>& centroids) override {
    const Tasks tasks(engine_, rows.first);
    Buffer<double> partial(engine_, tasks.list.size() * rows.cols);
    constexpr Index most = 65535;
    engine_.launch(member_sums_kernel<T>,
                   {.grid = dim3(static_cast<unsigned>(blocks_for(rows.cols, columns_at_once)),
                                 static_cast<unsigned>(std::min(most, tasks.list.size()))),
                    .block = dim3(columns_at_once, sum_lanes)},
                   rows.x, rows.stride, rows.cols, rows.members, tasks.list.data(),
                   tasks.list.size(), partial.data());
    fold(tasks, partial, rows.clusters(), rows.cols, centroids);
  }

  void spreads(const ClusteredRows<T>& rows, const Buffer<double>& centroids,
               Buffer<double>& spreads) override {
    const Tasks tasks(engine_, rows.first);
    Buffer<double> partial(engine_, tasks.list.size());
    distances(rows, rows.members, nullptr, centroids, tasks, true, partial);
    fold(tasks, partial, rows.clusters(), 1, spreads);
  }

  void within(const ClusteredRows<T>& rows, const Buffer<double>& centroids,
              Buffer<double>& within) override {
    const Index all[] = {0, rows.rows};
    const Tasks tasks(engine_, all);
    Buffer<double> partial(engine_, tasks.list.size());
    distances(rows, nullptr, rows.cluster, centroids, tasks, false, partial);
    add_block_sums(engine_, partial.data(), tasks.list.size(), 1, within.data());
  }

 private:
  // The blocks of the long sums over [first[c], first[c + 1]) for each c.
  struct Tasks {
    Tasks(CudaEngine& engine, std::span<const Index> first) {
      std::vector<Task> all;
      std::vector<Index> starts{0};
      for (std::size_t c = 0; c + 1 < first.size(); ++c) {
        for (Index at = first[c]; at < first[c + 1]; at += sum_block) {
          all.push_back({at, std::min(at + sum_block, first[c + 1]), static_cast<Index>(c)});
        }
        starts.push_back(static_cast<Index>(all.size()));
      }
      list = to_engine(engine, all);
      first_task = to_engine(engine, starts);
      first_member = to_engine(engine, first);
    }
    Buffer<Task> list;
    Buffer<Index> first_task;
    Buffer<Index> first_member;
  };

  void distances(const ClusteredRows<T>& rows, const Index* members, const std::int32_t* cluster,
                 const Buffer<double>& centroids, const Tasks& tasks, bool root,
                 Buffer<double>& partial) {
    const unsigned threads = std::min(most_distance_threads, engine_.block_threads(128));
    const unsigned warps = threads / warp_size;
    engine_.launch(centroid_distances_kernel<T>,
                   {.grid = dim3(static_cast<unsigned>(blocks_for(tasks.list.size(), warps))),
                    .block = dim3(threads),
                    .shared_bytes = warps * warp_size * (warp_size + 1) * sizeof(T)},
                   rows.x, rows.stride, rows.cols, members, cluster, centroids.data(),
                   tasks.list.data(), tasks.list.size(), root, partial.data());
  }

  void fold(const Tasks& tasks, const Buffer<double>& partial, Index clusters, Index cols,
            Buffer<double>& mean) {
    const unsigned threads = engine_.block_threads(128);
    engine_.launch(fold_tasks_kernel,
                   {.grid = dim3(static_cast<unsigned>(blocks_for(clusters * cols, threads))),
                    .block = dim3(threads)},
                   partial.data(), tasks.first_task.data(), tasks.first_member.data(), clusters,
                   cols, mean.data());
  }

  CudaEngine& engine_;
};

}  // namespace
}  // namespace tandem::cuda

extern "C" {
void* tandem_cuda_cluster_metric_float32(tandem::Engine& engine) {
  return static_cast<tandem::ClusterMetricSteps<float>*>(
      new tandem::cuda::CudaClusterMetric<float>(engine));
}
void* tandem_cuda_cluster_metric_float64(tandem::Engine& engine) {
  return static_cast<tandem::ClusterMetricSteps<double>*>(
      new tandem::cuda::CudaClusterMetric<double>(engine));
}
}
