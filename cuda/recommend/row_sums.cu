// Weighted sums of sparse rows on the GPU, and the best of them.
#include <algorithm>

#include "core/recommend/row_sums_steps.hpp"
#include "cuda/core/engine.hpp"
#include "cuda/recommend/sorted_list.cuh"

namespace tandem::cuda {
namespace {

inline constexpr int row_sums_threads = 128;

// Whether `column` is among left_out[begin .. end − 1], which ascend.
__device__ bool is_left_out(const std::int32_t* left_out, Index begin, Index end,
                            std::int32_t column) {
  const Index last = end;
  while (begin < end) {
    const Index middle = begin + (end - begin) / 2;
    if (left_out[middle] < column) {
      begin = middle + 1;
    } else {
      end = middle;
    }
  }
  return begin < last && left_out[begin] == column;
}

// One query at a time and block.
//
// Grid: a few blocks per multiprocessor, of 128 threads, which take the queries in turn; each has a
// dense row of sums in global memory, which stays in the second-level cache, and one for each level
// of the tree where a query has more than 1024 rows. Rows of the query are added one after the
// other, their columns by neighbouring threads, with a barrier after each: no column is added to
// twice at once, and in the order of the rows. Then the first warp goes over the columns, 32 at a
// time, and keeps a sorted list in shared memory, n · 12 bytes. Bound by barriers for short rows,
// by the second-level cache for long ones. Sums go from thread to thread across barriers, so that
// they are not __restrict__.
// Numerics: core/recommend/row_sums_steps.hpp. CPU twin: CpuRowSums in cpu/recommend/row_sums.cpp.
__global__ void __launch_bounds__(row_sums_threads, 6)
    row_sums_kernel(RowSumsProblem in, int n, int levels, double* memory_of_all,
                    std::int32_t* __restrict__ columns, double* __restrict__ scores) {
  extern __shared__ __align__(16) unsigned char memory[];
  double* const list = reinterpret_cast<double*>(memory);
  std::int32_t* const numbers = reinterpret_cast<std::int32_t*>(list + n);
  const int thread = static_cast<int>(threadIdx.x);
  const int lane = thread % 32;
  double* const sums = memory_of_all + static_cast<Index>(blockIdx.x) * (levels + 1) * in.columns;
  double* const roots = sums + in.columns;
  for (Index q = blockIdx.x; q < in.queries; q += gridDim.x) {
    for (Index c = thread; c < in.columns; c += row_sums_threads) sums[c] = 0;
    const Index begin = in.query_offsets[q];
    const Index end = in.query_offsets[q + 1];
    const bool tree = end - begin > sum_block;
    Index blocks = 0;
    __syncthreads();
    for (Index first = begin; first < end; first += sum_block, ++blocks) {
      const Index last = end - first < sum_block ? end : first + sum_block;
      for (Index k = first; k < last; ++k) {
        const std::int32_t row = in.query_rows[k];
        const double weight = in.query_weights[k];
        const Index stop = in.offsets[row + 1];
        for (Index p = in.offsets[row] + thread; p < stop; p += row_sums_threads) {
          double& sum = sums[in.matrix_columns[p]];
          sum = math::fma(weight, in.values[p], sum);
        }
        __syncthreads();
      }
      if (!tree) continue;
      for (Index c = thread; c < in.columns; c += row_sums_threads) {
        double sum = sums[c];
        int level = 0;
        for (; ((blocks >> level) & 1) != 0; ++level) sum = roots[level * in.columns + c] + sum;
        roots[level * in.columns + c] = sum;
        sums[c] = 0;
      }
      __syncthreads();
    }
    if (tree) {
      for (Index c = thread; c < in.columns; c += row_sums_threads) {
        double sum = 0;
        bool any = false;
        for (int level = 0; (blocks >> level) != 0; ++level) {
          if (((blocks >> level) & 1) == 0) continue;
          const double root = roots[level * in.columns + c];
          sum = any ? root + sum : root;
          any = true;
        }
        sums[c] = sum;
      }
      __syncthreads();
    }
    if (thread < 32) {
      int count = 0;
      const double own = in.score == RowScore::sum ? 0 : in.query_norms[q];
      const Index out_begin = in.out_offsets == nullptr ? 0 : in.out_offsets[q];
      const Index out_end = in.out_offsets == nullptr ? 0 : in.out_offsets[q + 1];
      for (Index first = 0; first < in.columns; first += 32) {
        const Index c = first + lane;
        double value = 0;
        bool may = c < in.columns;
        if (may) {
          value = sums[c];
          if (in.score != RowScore::sum) {
            value = row_score(in.score, value, own, in.column_norms[c], in.shrinkage);
          }
          may = value == value && !(in.silent_at_zero && value == 0) &&
                (in.allowed == nullptr || in.allowed[c] != 0);
        }
        if (may && (count < n || value > list[n - 1])) {
          may = out_begin == out_end ||
                !is_left_out(in.left_out, out_begin, out_end, static_cast<std::int32_t>(c));
        } else {
          may = false;
        }
        unsigned candidates = __ballot_sync(all_lanes, may);
        while (candidates != 0) {
          const int from = __ffs(static_cast<int>(candidates)) - 1;
          candidates &= candidates - 1;
          const double best = __shfl_sync(all_lanes, value, from);
          if (count == n && !(best > list[n - 1])) continue;
          insert_by_warp(list, numbers, count, n, best, static_cast<std::int32_t>(first + from));
        }
      }
      for (int k = lane; k < n; k += 32) {
        columns[q * n + k] = k < count ? numbers[k] : -1;
        scores[q * n + k] = k < count ? list[k] : 0.0;
      }
    }
    __syncthreads();
  }
}

template <Real T>
class CudaRowSums final : public RowSumsStepsOf<T> {
 public:
  explicit CudaRowSums(Engine& engine) : engine_(cuda_engine(engine)) {}

  void top(const RowSumsProblem& problem, Index n, Buffer<std::int32_t>& columns,
           Buffer<double>& scores) override {
    int levels = 0;
    if (problem.longest > sum_block) {
      for (Index blocks = sum_blocks(problem.longest); blocks > 0; blocks /= 2) ++levels;
    }
    // As many rows as fit into a gibibyte.
    constexpr Index most_bytes = Index{1} << 30;
    const Index each = (levels + 1) * problem.columns;
    const Index blocks =
        std::clamp<Index>(most_bytes / (8 * each), 1,
                          std::min<Index>(std::max<Index>(1, problem.queries),
                                          8 * engine_.properties().multiProcessorCount));
    if (memory_.size() < blocks * each) memory_ = Buffer<double>(engine_, blocks * each);
    if (problem.queries == 0) return;
    engine_.launch(row_sums_kernel,
                   {.grid = dim3(static_cast<unsigned>(blocks)),
                    .block = dim3(row_sums_threads),
                    .shared_bytes = static_cast<std::size_t>(n) * 12},
                   problem, static_cast<int>(n), levels, memory_.data(), columns.data(),
                   scores.data());
  }

 private:
  CudaEngine& engine_;
  Buffer<double> memory_;
};

}  // namespace
}  // namespace tandem::cuda

extern "C" {
void* tandem_cuda_row_sums_float32(tandem::Engine& engine) {
  return static_cast<tandem::RowSumsStepsOf<float>*>(new tandem::cuda::CudaRowSums<float>(engine));
}
void* tandem_cuda_row_sums_float64(tandem::Engine& engine) {
  return static_cast<tandem::RowSumsStepsOf<double>*>(
      new tandem::cuda::CudaRowSums<double>(engine));
}
}
