// Neighbours of items on the GPU.
#include <algorithm>

#include "core/recommend/item_knn_steps.hpp"
#include "cuda/core/engine.hpp"
#include "cuda/recommend/sorted_list.cuh"

namespace tandem::cuda {
namespace {

inline constexpr int knn_threads = 128;

// Buffers of a KnnProblem as kernels see them.
struct KnnView {
  Index items;
  const Index* user_offsets;
  const std::int32_t* user_items;
  const std::int32_t* user_weights;
  const Index* item_offsets;
  const std::int32_t* item_users;
  const std::int32_t* item_weights;
  const std::int64_t* norms;
  KnnSimilarity similarity;
  double shrinkage;
};

// The neighbours of one item at a time and block.
//
// Grid: a few blocks per multiprocessor, of 128 threads, which take the items in turn; each has a
// dense row of products in global memory, 8 bytes an item, which stays in the second-level cache. A
// warp takes a user of the item, its lanes neighbouring items of that user, and adds their products
// to the row by atomics on integers, so that the order does not matter. Then the first warp goes
// over the row in ascending order of items, 32 at a time, clears it, and puts what is better than
// the worst chosen into a sorted list in shared memory, n · 12 bytes. Bound by atomics: Σ over
// users of the square of their items. `rows` goes from thread to thread across barriers, so that it
// is not __restrict__.
// Numerics: core/recommend/item_knn_steps.hpp. CPU twin: CpuItemKnn in cpu/recommend/item_knn.cpp.
__global__ void __launch_bounds__(knn_threads)
    item_knn_kernel(KnnView in, int n, unsigned long long* rows, std::int32_t* __restrict__ items,
                    double* __restrict__ likeness) {
  extern __shared__ __align__(16) unsigned char memory[];
  double* const list = reinterpret_cast<double*>(memory);
  std::int32_t* const numbers = reinterpret_cast<std::int32_t*>(list + n);
  const int thread = static_cast<int>(threadIdx.x);
  const int lane = thread % 32;
  unsigned long long* const row = rows + static_cast<Index>(blockIdx.x) * in.items;
  for (Index i = blockIdx.x; i < in.items; i += gridDim.x) {
    const Index begin = in.item_offsets[i];
    const Index end = in.item_offsets[i + 1];
    for (Index p = begin + thread / 32; p < end; p += knn_threads / 32) {
      const Index u = in.item_users[p];
      const std::int64_t weight = in.item_weights[p];
      const Index last = in.user_offsets[u + 1];
      for (Index k = in.user_offsets[u] + lane; k < last; k += 32) {
        atomicAdd(&row[in.user_items[k]],
                  static_cast<unsigned long long>(weight * in.user_weights[k]));
      }
    }
    __syncthreads();
    int count = 0;
    if (thread < 32) {
      const std::int64_t norm = in.norms[i];
      for (Index first = 0; first < in.items; first += 32) {
        const Index j = first + lane;
        double value = 0;
        if (j < in.items) {
          const auto product = static_cast<std::int64_t>(row[j]);
          row[j] = 0;
          if (product > 0 && j != i) {
            value = knn_likeness(in.similarity, product, norm, in.norms[j], in.shrinkage);
          }
        }
        unsigned candidates =
            __ballot_sync(all_lanes, value > 0 && (count < n || value > list[n - 1]));
        while (candidates != 0) {
          const int from = __ffs(static_cast<int>(candidates)) - 1;
          candidates &= candidates - 1;
          const double own = __shfl_sync(all_lanes, value, from);
          if (count == n && !(own > list[n - 1])) continue;
          insert_by_warp(list, numbers, count, n, own, static_cast<std::int32_t>(first + from));
        }
      }
      for (int k = lane; k < n; k += 32) {
        items[i * n + k] = k < count ? numbers[k] : -1;
        likeness[i * n + k] = k < count ? list[k] : 0.0;
      }
    }
    __syncthreads();
  }
}

template <Real T>
class CudaItemKnn final : public ItemKnnStepsOf<T> {
 public:
  explicit CudaItemKnn(Engine& engine) : engine_(cuda_engine(engine)) {}

  void neighbours(const KnnProblem& problem, Index n, Buffer<std::int32_t>& items,
                  Buffer<double>& likeness) override {
    // As many rows as fit into a gibibyte.
    constexpr Index most_bytes = Index{1} << 30;
    const Index blocks = std::clamp<Index>(
        most_bytes / (8 * problem.items), 1,
        std::min<Index>(problem.items, 8 * engine_.properties().multiProcessorCount));
    Buffer<unsigned long long> rows(engine_, blocks * problem.items);
    rows.fill_zero();
    const KnnView view{problem.items,
                       problem.user_offsets.data(),
                       problem.user_items.data(),
                       problem.user_weights.data(),
                       problem.item_offsets.data(),
                       problem.item_users.data(),
                       problem.item_weights.data(),
                       problem.norms.data(),
                       problem.similarity,
                       problem.shrinkage};
    engine_.launch(item_knn_kernel,
                   {.grid = dim3(static_cast<unsigned>(blocks)),
                    .block = dim3(knn_threads),
                    .shared_bytes = static_cast<std::size_t>(n) * 12},
                   view, static_cast<int>(n), rows.data(), items.data(), likeness.data());
  }

 private:
  CudaEngine& engine_;
};

}  // namespace
}  // namespace tandem::cuda

extern "C" {
void* tandem_cuda_item_knn_float32(tandem::Engine& engine) {
  return static_cast<tandem::ItemKnnStepsOf<float>*>(new tandem::cuda::CudaItemKnn<float>(engine));
}
void* tandem_cuda_item_knn_float64(tandem::Engine& engine) {
  return static_cast<tandem::ItemKnnStepsOf<double>*>(
      new tandem::cuda::CudaItemKnn<double>(engine));
}
}
